// `netsieve compile --emit load-script`: a POSIX shell script that loads a ruleset's object, fills its maps and attaches it on a real machine, and
// takes it away again. The object is in the script.

import type { ProgTypeName } from '@netsieve/asm'
import { type MapContents, updateLines } from '../object.ts'
import { Trouble } from './io.ts'

export interface LoadScript {
  readonly type: ProgTypeName
  /** Where the rules are from, for the script's comment. */
  readonly from: string
  readonly object: Uint8Array
  readonly contents: readonly MapContents[]
  /** A cgroup's program is for packets that go out. */
  readonly outgoing?: boolean
}

/** What a program is attached to: what the script calls it, and how it is looked at. The name is that of the script's variable. */
interface Place {
  readonly name: 'device' | 'cgroup'
  /** In words, with its article. */
  readonly title: string
  /** Fails for what is none, as text of the script. */
  readonly check: string
  /** A number of the place, as text of the script. */
  readonly number: string
}

const DEVICE: Place = {
  name: 'device',
  title: 'a device',
  check: `case $device in
  */* | .*) fail "$device is no name of a device" ;;
esac
[ -e "/sys/class/net/$device" ] || fail "there is no device $device"`,
  number: 'cat "/sys/class/net/$device/ifindex"',
}

const CGROUP: Place = {
  name: 'cgroup',
  title: 'a control group',
  check: `[ "$(stat -f -c %T "$cgroup" 2>/dev/null)" = cgroup2fs ] && [ -d "$cgroup" ] || fail "$cgroup is no control group: a folder of a cgroup2 file system is"`,
  number: 'stat -c %i "$cgroup"',
}

/** How a program type is attached: by which tool, with which option, to what. */
interface Attachment {
  readonly place: Place
  /** What bpftool calls the type. */
  readonly loadAs: string
  readonly tool: string
  /** The option with its values, the first being the default. */
  readonly option: string
  readonly values: readonly string[]
  readonly attach: string
  readonly detach: string
}

const ATTACHMENTS: Readonly<Partial<Record<ProgTypeName, Attachment>>> = {
  xdp: {
    place: DEVICE,
    loadAs: 'xdp',
    tool: 'ip',
    option: 'mode',
    values: ['generic', 'drv', 'offload'],
    attach: 'ip link set dev "$device" "xdp$mode" pinned "$folder/prog"',
    detach: 'ip link set dev "$device" "xdp$mode" off',
  },
  sched_cls: {
    place: DEVICE,
    loadAs: 'classifier',
    tool: 'tc',
    option: 'direction',
    values: ['ingress', 'egress'],
    attach: `tc qdisc show dev "$device" | grep -q clsact || tc qdisc add dev "$device" clsact
  tc filter add dev "$device" "$direction" prio 1 handle 1 bpf direct-action pinned "$folder/prog"`,
    detach: 'tc filter del dev "$device" "$direction" prio 1 handle 1 bpf',
  },
  cgroup_skb: {
    place: CGROUP,
    loadAs: 'cgroup/skb',
    tool: 'bpftool',
    option: 'direction',
    values: ['ingress', 'egress'],
    attach: 'bpftool cgroup attach "$cgroup" "$direction" pinned "$folder/prog"',
    detach: 'bpftool cgroup detach "$cgroup" "$direction" pinned "$folder/prog"',
  },
}

const NOT_BY_COMMAND: Readonly<Partial<Record<ProgTypeName, string>>> = {
  netfilter:
    'is attached to a hook by a link that its loader holds (libbpf: bpf_program__attach_netfilter), with the object of --emit elf: there is no command for it',
}

/** @throws Trouble for a program type that no command attaches */
export function loadScript({ type, from, object, contents, outgoing = false }: LoadScript): string {
  const attachment = ATTACHMENTS[type]
  if (!attachment) {
    const how = NOT_BY_COMMAND[type] ?? 'is attached by the program that owns the socket: there is no command for it'
    throw new Trouble(`error: unsupported: a program of type ${type} ${how} [cli/emit]`)
  }
  const { place, loadAs, tool, option, attach, detach } = attachment
  const { name, title, check, number } = place
  // The way the packets go that the rules are for comes first.
  const values = outgoing ? [...attachment.values].reverse() : attachment.values
  const tools = [...new Set(['bpftool', tool])]
  const encoded = Buffer.from(object).toString('base64').replace(/.{76}/g, '$&\n')
  const updates = updateLines(contents, '"$folder/maps"').map((line) => `  ${line}`)
  return `#!/bin/sh
# ${from.replace(/[^\x20-\x7e]/g, '?')} as a program of type ${type}: loads it, fills its maps, attaches it to ${title}; --unload takes it away.
# Needs root, ${tools.join(', ')}, and the BPF file system at /sys/fs/bpf. Written by netsieve.
set -eu

usage() {
  echo "usage: $0 [--${option} ${values.join('|')}] [--unload] ${name.toUpperCase()}"
}

fail() {
  echo "$0: error: $1" >&2
  exit 1
}

${option}=${values[0]}
unload=
${name}=
while [ $# -gt 0 ]; do
  case $1 in
    --${option})
      [ $# -gt 1 ] || fail "--${option} takes ${values.join(', ')}"
      ${option}=$2
      shift
      ;;
    --unload) unload=1 ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*) fail "unknown option $1" ;;
    *)
      [ -z "$${name}" ] || fail "one ${name} is taken, not $${name} and $1"
      ${name}=$1
      ;;
  esac
  shift
done
case $${option} in
  ${values.join(' | ')}) ;;
  *) fail "--${option} is one of ${values.join(', ')}, not $${option}" ;;
esac
if [ -z "$${name}" ]; then
  usage >&2
  exit 1
fi
[ "$(id -u)" -eq 0 ] || fail "this needs root"
for tool in ${tools.join(' ')}; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done
${check}
[ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ] || fail "mount the BPF file system first: mount -t bpf bpf /sys/fs/bpf"
# By number: the BPF file system takes no dots, which names may have.
folder=/sys/fs/bpf/netsieve-${type}-$(${number})

if [ -n "$unload" ]; then
  [ -e "$folder/prog" ] || fail "nothing of this script is loaded on $${name}"
  for ${option} in ${values.join(' ')}; do
    [ ! -e "$folder/$${option}" ] || ${detach} || echo "$0: warning: it was not attached" >&2
  done
  rm -r "$folder"
  exit 0
fi

[ ! -e "$folder" ] || fail "something is loaded on $${name} already: $0 --unload $${name}"
object=$(mktemp)
undo() {
  rm -f "$object"
  rm -rf "$folder"
}
trap undo EXIT
base64 -d >"$object" <<'END'
${encoded.trimEnd()}
END

load() {
  mkdir "$folder" "$folder/maps" "$folder/$${option}"
  bpftool prog load "$object" "$folder/prog" type ${loadAs} pinmaps "$folder/maps"
${updates.length > 0 ? `${updates.join('\n')}\n` : ''}  ${attach}
}

load
trap - EXIT
rm -f "$object"
echo "loaded on $${name}: $folder/prog"
`
}
