#!/usr/bin/env python3
"""Records what nft makes of files that include others.

  test/rules/nft/record-include.py      (as root: each case has network and /etc of its own)

Writes include.golden.json: for each case its files, and the ruleset that the kernel has afterwards or the first error with its place. A path that begins with
/etc is put there; `->` in place of a text makes a link; a path that ends in / is an empty folder. `%DIR%` in a text is the folder that nft works in,
which is called /work in the answers.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "table inet t {\n chain c {\n  type filter hook input priority 0\n"
TAIL = " }\n}\n"


def rules(inside):
    return HEAD + inside + TAIL


USE = rules("tcp dport $a accept\n")
RULES = {"r/10.nft": "tcp dport 10 accept\n", "r/9.nft": "tcp dport 9 accept\n", "r/B.nft": "tcp dport 66 accept\n", "r/a.nft": "tcp dport 97 accept\n", "r/.h.nft": "tcp dport 1 accept\n", "r/x.txt": "tcp dport 2 accept\n", "r/sub/": ""}
BOTH = {"p/d.nft": "tcp dport 1 accept\n", "q/d.nft": "tcp dport 2 accept\n", "q/e.nft": "tcp dport 3 accept\n", "/etc/f.nft": "tcp dport 4 accept\n", "p/f.nft": "tcp dport 5 accept\n"}
PQ = ["-I", "p", "-I", "q"]


def nest(count):
    files = {"main.nft": 'include "./1.nft"\n' + USE, "%d.nft" % count: "define a = 5\n"}
    return {**files, **{"%d.nft" % i: 'include "./%d.nft"\n' % (i + 1) for i in range(1, count)}}


def in_chain(path, **more):
    return {**RULES, "main.nft": rules('include "%s"\n' % path), **more}


CASES = [
    ("in front", {"main.nft": 'include "./d.nft"\n' + USE, "d.nft": "define a = 22\n"}),
    ("absolute", {"main.nft": 'include "%DIR%/d.nft"\n' + USE, "d.nft": "define a = 22\n"}),
    ("found nowhere", {"main.nft": 'include "d.nft"\n', "d.nft": "define a = 22\n"}),
    ("found in /etc", {"main.nft": 'include "d.nft"\n' + USE, "d.nft": "define a = 22\n", "/etc/d.nft": "define a = 23\n"}),
    ("the first folder has it", {**BOTH, "main.nft": rules('include "d.nft"\n')}, PQ),
    ("the second folder has it", {**BOTH, "main.nft": rules('include "e.nft"\n')}, PQ),
    ("/etc comes first", {**BOTH, "main.nft": rules('include "f.nft"\n')}, PQ),
    ("wildcards take from all folders, the last first", {**BOTH, "main.nft": rules('include "[def].nft"\n')}, PQ),
    ("a folder hides a file", {"p/d/": "", "q/d": "tcp dport 1\n", "main.nft": rules('include "d"\n')}, PQ),
    ("a folder of -I that is none", {"main.nft": rules('include "*.x"\n')}, ["-I", "none"]),
    ("../ is no place of -I", {"d.nft": "tcp dport 1\n", "p/": "", "main.nft": rules('include "../d.nft"\n')}, ["-I", "p"]),
    ("./ of a file in a folder", {"main.nft": 'include "./d/1.nft"\n' + USE, "d/1.nft": 'include "./2.nft"\n', "d/2.nft": "define a = 7\n", "2.nft": "define a = 8\n"}),
    ("points in a path", in_chain("./r/.././r//9.nft")),
    ("all of a kind", in_chain("./r/*.nft")),
    ("all, folders too", in_chain("./r/*")),
    ("a folder", in_chain("./r")),
    ("a folder, with a slash", in_chain("./r/")),
    ("an empty path", in_chain("")),
    ("one byte", in_chain("./r/?.nft")),
    ("a class", in_chain("./r/[0-9]*.nft")),
    ("not of a class", in_chain("./r/[!0-9]*.nft")),
    ("not of a class, otherwise", in_chain("./r/[^0-9]*.nft")),
    ("a named class", in_chain("./r/[[:upper:]9].nft")),
    ("a class with its end in it", in_chain("./r/[]9].nft")),
    ("a class with a dash", in_chain("./s/[a-].nft", **{"s/-.nft": "tcp dport 4\n", "s/b.nft": "tcp dport 5\n"})),
    ("a range backwards", in_chain("./r/[z-a]*.nft")),
    ("a class of a slash", in_chain("./r[/]9.nft")),
    ("a class that does not end", in_chain("./s/b[.nft", **{"s/b[.nft": "tcp dport 4\n"})),
    ("a class that does not end, none", in_chain("./s/c[.nft")),
    ("a backslash", in_chain("./s/\\\\*.nft", **{"s/*.nft": "tcp dport 4\n", "s/\\*.nft": "tcp dport 5\n", "s/\\\\x.nft": "tcp dport 6\n"})),
    ("a star as a class", in_chain("./s/[*].nft", **{"s/*.nft": "tcp dport 4\n", "s/x.nft": "tcp dport 5\n"})),
    ("hidden files", in_chain("./r/.*.nft")),
    ("hidden files by a class", in_chain("./r/[.]h.nft")),
    ("folders by wildcards", in_chain("./?/9.nft", **{"s/9.nft": "tcp dport 4\n"})),
    ("order of whole paths", in_chain("./s*/*.nft", **{"s/9.nft": "tcp dport 4\n", "s-/9.nft": "tcp dport 5\n"})),
    ("a letter of two bytes is not one", in_chain("./s/?.nft", **{"s/é.nft": "tcp dport 4\n"})),
    ("order of bytes", in_chain("./s/*.nft", **{"s/é.nft": "tcp dport 4\n", "s/z.nft": "tcp dport 5\n", "s/Z.nft": "tcp dport 6\n"})),
    ("braces", in_chain("./r/{9,10}.nft")),
    ("home", in_chain("~/9.nft")),
    ("none by wildcards", in_chain("./r/*.conf")),
    ("none in no folder", in_chain("./none/*.nft")),
    ("no file", in_chain("./r/8.nft")),
    ("no file, in front", {"main.nft": '\ninclude "./8.nft"\n' + rules("")}),
    ("more than sixteen by wildcards", {**{"s/%02d" % i: "tcp dport %d\n" % (i + 1) for i in range(20)}, "main.nft": rules('include "./s/*"\n')}),
    ("a link", {"main.nft": 'include "./l"\n' + USE, "l": "->d.nft", "d.nft": "define a = 4\n"}),
    ("a link to nothing", {"main.nft": 'include "./l"\n' + USE, "l": "->d.nft"}),
    ("a link to nothing, by wildcards", {"main.nft": 'include "./l*"\n' + USE, "l": "->d.nft"}),
    ("odd names", {"main.nft": 'include "./a #b.nft"\n' + USE, "a #b.nft": "define a = 4\n"}),
    ("variables", {"main.nft": 'define d = d\ninclude "./$d.nft"\n', "d.nft": "define a = 4\n"}),
    ("fifteen deep", nest(15)),
    ("sixteen deep", nest(16)),
    ("itself", {"main.nft": 'include "./main.nft"\n' + USE}),
    ("each other", {"main.nft": 'include "./b.nft"\n' + USE, "b.nft": 'include "./main.nft"\n'}),
    ("twice", {"main.nft": rules('include "./b.nft"\ninclude "./b.nft"\n'), "b.nft": "tcp dport 1\n"}),
    ("a definition twice", {"main.nft": 'include "./b.nft"\ninclude "./b.nft"\n', "b.nft": "define a = 1\n"}),
    ("redefined", {"main.nft": 'define a = 1\ninclude "./b.nft"\n' + USE, "b.nft": "redefine a = 2\n"}),
    ("undefined", {"main.nft": 'define a = 1\ninclude "./b.nft"\n' + USE, "b.nft": "undefine a\n"}),
    ("variables of a chain", {"main.nft": rules('include "./b.nft"\ntcp dport $a\n } \n chain d {\n tcp dport $a\n'), "b.nft": "define a = 1\n"}),
    ("variables from outside", {"main.nft": "define a = 4\n" + rules('include "./b.nft"\n'), "b.nft": "tcp dport $a\n"}),
    ("variables of sets", {"main.nft": 'include "./b.nft"\n' + rules("tcp dport { $a, 7, 81-$b } ip saddr . tcp dport { $h . $a } accept\n"), "b.nft": "define a = 22\ndefine b = 88\ndefine h = 10.0.0.1\n"}),
    ("in a table", {"main.nft": 'table inet t {\n include "./b.nft"\n}\n', "b.nft": "set s { type inet_service; elements = { 1, 2 }; }\nchain c {\n type filter hook input priority 0\n tcp dport @s drop\n}\n"}),
    ("in a set", {"main.nft": 'table inet t {\n set s {\n type inet_service\n include "./b.nft"\n}\n chain c {\n  type filter hook input priority 0\n tcp dport @s drop\n' + TAIL, "b.nft": "define x = { 1, 2 }\nelements = $x\n"}),
    ("in a map", {"main.nft": 'table inet t {\n map s {\n type inet_service : verdict\n include "./b.nft"\n elements = $x\n}\n chain c {\n  type filter hook input priority 0\n tcp dport vmap @s\n' + TAIL, "b.nft": "define x = { 1 : drop }\n"}),
    ("in a limit", {"main.nft": 'table inet t {\n limit l {\n include "./b.nft"\n}\n chain c {\n  type filter hook input priority 0\n limit name l accept\n' + TAIL, "b.nft": "define x = 1\nrate 5/second\n"}),
    ("in a chain of its own", {"main.nft": 'table inet t {\n}\nadd chain inet t c {\n type filter hook input priority 0;\n include "./b.nft"\n}\n', "b.nft": "tcp dport 2\n"}),
    ("among elements", {"main.nft": rules('tcp dport { include "./b.nft" } drop\n'), "b.nft": "1\n"}),
    ("behind a statement", {"main.nft": 'define b = 1; include "./b.nft"\n' + USE, "b.nft": "define a = 1\n"}),
    ("before a statement", {"main.nft": rules('include "./b.nft"; tcp dport 5 drop\n'), "b.nft": "tcp dport 4\n"}),
    ("in a line of blocks", {"main.nft": rules("  } \n chain d { include \"./b.nft\"; }\n chain e {\n"), "b.nft": "tcp dport 4\n"}),
    ("a comment behind", {"main.nft": 'include "./b.nft" # b\n' + USE, "b.nft": "define a = 1\n"}),
    ("over two lines", {"main.nft": 'include \\\n  "./b.nft"\n' + USE, "b.nft": "define a = 1\n"}),
    ("no blank", {"main.nft": 'include"./b.nft"\n' + USE, "b.nft": "define a = 1\n"}),
    ("no quotes", {"main.nft": "include ./b.nft\n", "b.nft": "define a = 1\n"}),
    ("the shell's quotes", {"main.nft": "include './b.nft'\n", "b.nft": "define a = 1\n"}),
    ("the first line of a script", {"main.nft": '#!/usr/sbin/nft -f\ninclude "./b.nft"\n' + USE, "b.nft": "#!/usr/sbin/nft -f\ndefine a = 1\n"}),
    ("an empty file", {"main.nft": rules('include "./b.nft"\n'), "b.nft": ""}),
    ("a flush", {"main.nft": rules("tcp dport 1\n") + 'include "./b.nft"\n' + rules("tcp dport 2\n"), "b.nft": "flush ruleset\n"}),
    ("rules as commands", {"main.nft": rules("") + 'include "./b.nft"\n', "b.nft": "add rule inet t c tcp dport 1\n"}),
    ("rules outside", {"main.nft": 'include "./b.nft"\n', "b.nft": "tcp dport 1\n"}),
    ("rules in a table", {"main.nft": 'table inet t {\n include "./b.nft"\n}\n', "b.nft": "\ntcp dport 1\n"}),
    ("a table in a table", {"main.nft": 'table inet t {\n include "./b.nft"\n}\n', "b.nft": "table inet u {\n}\n"}),
    ("an error two files away", {"main.nft": '\n include "./b.nft"\n', "b.nft": 'include "./c.nft"\n', "c.nft": "\n\ndefine x 4\n"}),
    ("an error in a chain", {"main.nft": rules('include "./b.nft"\n'), "b.nft": "tcp dport 1\n  tcp dport 4 5 accept\n"}),
    ("an error in a folder of -I", {"main.nft": rules('include "b.nft"\n'), "p/b.nft": "tcp dporx 1\n"}, ["-I", "p"]),
    ("a block over two files", {"main.nft": 'include "./b.nft"\n tcp dport 2\n' + TAIL, "b.nft": HEAD}),
    ("a rule over two files", {"main.nft": rules('include "./b.nft"\n accept\n'), "b.nft": "tcp dport 9"}),
    ("no line end, then another rule", {"main.nft": rules('include "./b.nft"\n tcp dport 3 accept\n'), "b.nft": "tcp dport 9 accept"}),
    ("no line end, then a blank line", {"main.nft": rules('include "./b.nft"\n\n accept\n'), "b.nft": "tcp dport 9"}),
    ("no line end, then a comment", {"main.nft": rules('include "./b.nft"\n # c\n accept\n'), "b.nft": "tcp dport 9"}),
    ("no line end, then the block's end", {"main.nft": rules('include "./b.nft"\n'), "b.nft": "tcp dport 9"}),
    ("no line end, then a table", {"main.nft": 'include "./b.nft"\n' + rules(""), "b.nft": rules("")[:-1]}),
    ("no line end at the end", {"main.nft": 'include "./b.nft"\n', "b.nft": rules("tcp dport 1\n")[:-1]}),
    ("no line end, two at the end", {"main.nft": 'include "./b.nft"\n', "b.nft": 'include "./c.nft"\n', "c.nft": rules("tcp dport 1\n")[:-1]}),
    ("no line end, a chain", {"main.nft": 'table inet t {\n include "./b.nft"\n}\n', "b.nft": "chain c {\n}"}),
    ("no line end, then the next file", {"main.nft": rules('include "./s/*"\n'), "s/1": "tcp dport 1", "s/2": "tcp dport 2\n"}),
    ("no line end, then a file that begins with one", {"main.nft": rules('include "./s/*"\n'), "s/1": "tcp dport 1", "s/2": "\ntcp dport 2\n"}),
    ("no line end behind an include", {"main.nft": 'include "./b.nft"\n' + USE, "b.nft": 'include "./c.nft"', "c.nft": "define a = 1\n"}),
    ("no line end behind an include, then a blank line", {"main.nft": 'include "./b.nft"\n\n' + USE, "b.nft": 'include "./c.nft"', "c.nft": "define a = 1\n"}),
]

# /etc is made of the files that names of ports are in, and those of the case.
SCRIPT = 'mount --bind "$0/etc" /etc && cd "$0/work" && timeout 20 nft "$@" -f main.nft; code=$?; echo ==; nft list ruleset; exit $code'


def put(path, text, folder):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if path.endswith("/"):
        return
    if text.startswith("->"):
        return os.symlink(text[2:], path)
    with open(path, "w") as file:
        file.write(text.replace("%DIR%", folder))


def answer(files, options):
    with tempfile.TemporaryDirectory() as top:
        work = os.path.join(top, "work")
        os.makedirs(os.path.join(top, "etc"))
        for name in "services", "protocols", "nsswitch.conf":
            if os.path.exists("/etc/" + name):
                shutil.copy("/etc/" + name, os.path.join(top, "etc"))
        for path, text in files.items():
            put(top + path if path.startswith("/") else os.path.join(work, path), text, work)
        done = subprocess.run(["unshare", "-n", "-m", "sh", "-c", SCRIPT, top, *options], capture_output=True, text=True)
    if done.returncode == 0:
        return {"ruleset": done.stdout.partition("==\n")[2]}
    told = done.stderr.replace(work, "/work")
    first = re.search(r"^(\S.*?):(\d+):(\d+)-\d+: Error: (.*)$", told, re.M)
    return {"file": first[1], "line": int(first[2]), "column": int(first[3]), "error": first[4].replace(work, "/work")}


def main():
    version = subprocess.run(["nft", "--version"], capture_output=True, text=True).stdout.strip()
    rows = []
    for name, files, *options in CASES:
        given = options[0] if options else []
        rows.append({"name": name, "files": files, **({"options": given} if given else {}), **answer(files, given)})
    with open(os.path.join(HERE, "include.golden.json"), "w") as file:
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        file.write('{"tool": %s, "rows": [\n%s\n]}\n' % (json.dumps(version), lines))


if __name__ == "__main__":
    main()
