#!/usr/bin/env python3
"""Records what every tool does with the packets of cases.json under its rules.

  node bench/run.mjs test/golden/semantics-write.ts frames         (builds the packets into frames.json)
  NETSIEVE_ORACLE=/path/to/oracle test/golden/semantics/record.py  (as root)
  node bench/run.mjs test/golden/semantics-write.ts docs           (writes docs/semantics.md from it)

The oracle folder holds knetfilter.py, ku32.py and kpcapfilter.py. Writes golden.json: for each rule and tool one character a packet, in the
order of frames.json: d (dropped; for pcap, matched), a (accepted; not matched), - (the packet does not come to the hook, or cannot be sent).
A rule that the tool refuses has the error.
"""
import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.environ["NETSIEVE_ORACLE"]
sys.path.insert(0, ORACLE)
import kpcapfilter  # noqa: E402


class Server:
    def __init__(self, name):
        self.process = subprocess.Popen([sys.executable, os.path.join(ORACLE, name), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        os.killpg(self.process.pid, signal.SIGTERM)


def netfilter(server, text, form, hook, backend, frames):
    answer = server.ask({"rules": [{"text": one, "format": form} for one in text], "hook": hook, "frames": frames, "backend": backend})
    if "error" in answer:
        return {"error": answer["error"].strip().splitlines()[0][:200]}
    told = list(answer["verdicts"])
    for i in answer.get("reassembled", []):
        told[i] = "-"
    return "".join(told)


def pcap(expr, frames):
    flt = kpcapfilter.Filter(expr, 1, 262144, True, 0)
    if flt.error:
        return {"error": flt.error}
    told = "".join("d" if flt.match(bytes.fromhex(f), len(f) // 2) else "a" for f in frames)
    flt.close()
    return told


def u32(server, line, frames):
    answer = server.ask({"filters": line + " action drop", "frames": frames})
    if "error" in answer:
        return {"error": answer["error"]}
    return answer["verdicts"].replace(".", "a")


def version(command):
    run = subprocess.run(command, capture_output=True, text=True)
    return (run.stdout + run.stderr).strip().splitlines()[0]


def main():
    cases = json.load(open(os.path.join(HERE, "cases.json")))
    frames = list(json.load(open(os.path.join(HERE, "frames.json"))).values())
    filters, words = Server("knetfilter.py"), Server("ku32.py")
    verdicts = {}
    for name, rule in cases["rules"].items():
        row = verdicts[name] = {}
        if "nft" in rule:
            body = "table %s t {\n chain c {\n  type filter hook %s priority 0; policy accept;\n  %s drop\n }\n}\n"
            row["nft"] = netfilter(filters, [body % ("inet", "prerouting", rule["nft"])], "nft", "prerouting", "nft", frames)
            row["nft ingress"] = netfilter(filters, [body % ("netdev", 'ingress device "in0"', rule["nft"])], "nft", "ingress", "nft", frames)
        if "iptables" in rule:
            six = "10." not in rule["iptables"] and "-f" not in rule["iptables"].split()
            lines = [program + " -t raw -A PREROUTING " + rule["iptables"] + " -j DROP\n" for program in (["iptables", "ip6tables"] if six else ["iptables"])]
            for backend in ("nft", "legacy"):
                row["iptables-" + backend] = netfilter(filters, ["".join(lines)], "cmds", "prerouting", backend, frames)
        if "pcap" in rule:
            row["pcap"] = pcap(rule["pcap"], frames)
        if "u32" in rule:
            row["u32"] = u32(words, rule["u32"], frames)
    filters.end()
    words.end()
    tools = {"kernel": os.uname().release, "nft": version(["nft", "--version"]), "iptables-nft": version(["iptables-nft", "--version"]),
             "iptables-legacy": version(["iptables-legacy", "--version"]), "pcap": kpcapfilter.lib().pcap_lib_version().decode(), "tc": version(["tc", "-V"])}
    with open(os.path.join(HERE, "golden.json"), "w") as out:
        out.write(json.dumps({"tools": tools})[:-1] + ', "verdicts": {\n' + ",\n".join("%s: %s" % (json.dumps(k), json.dumps(v)) for k, v in verdicts.items()) + "\n}}\n")


if __name__ == "__main__":
    main()
