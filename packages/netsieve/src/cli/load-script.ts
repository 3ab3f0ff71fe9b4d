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
}

/** How a program type is attached: by which tool, with which option, to a device. */
interface Attachment {
  readonly tool: string
  /** The option with its values, the first being the default. */
  readonly option: string
  readonly values: readonly string[]
  readonly attach: string
  readonly detach: string
}

const ATTACHMENTS: Readonly<Partial<Record<ProgTypeName, Attachment>>> = {
  xdp: {
    tool: 'ip',
    option: 'mode',
    values: ['generic', 'drv', 'offload'],
    attach: 'ip link set dev "$device" "xdp$mode" pinned "$folder/prog"',
    detach: 'ip link set dev "$device" "xdp$mode" off',
  },
  sched_cls: {
    tool: 'tc',
    option: 'direction',
    values: ['ingress', 'egress'],
    attach: `tc qdisc show dev "$device" | grep -q clsact || tc qdisc add dev "$device" clsact
  tc filter add dev "$device" "$direction" prio 1 handle 1 bpf direct-action pinned "$folder/prog"`,
    detach: 'tc filter del dev "$device" "$direction" prio 1 handle 1 bpf',
  },
}

const NOT_BY_COMMAND: Readonly<Partial<Record<ProgTypeName, string>>> = {
  cgroup_skb:
    'is attached to a control group, not to a device: bpftool cgroup attach does it, with the object of --emit elf',
  netfilter:
    'is attached to a hook by a link that its loader holds (libbpf: bpf_program__attach_netfilter), with the object of --emit elf: there is no command for it',
}

/** @throws Trouble for a program type that no command attaches */
export function loadScript({ type, from, object, contents }: LoadScript): string {
  const attachment = ATTACHMENTS[type]
  if (!attachment) {
    const how = NOT_BY_COMMAND[type] ?? 'is attached by the program that owns the socket: there is no command for it'
    throw new Trouble(`error: unsupported: a program of type ${type} ${how} [cli/emit]`)
  }
  const { tool, option, values, attach, detach } = attachment
  const encoded = Buffer.from(object).toString('base64').replace(/.{76}/g, '$&\n')
  const updates = updateLines(contents, '"$folder/maps"').map((line) => `  ${line}`)
  return `#!/bin/sh
# ${from.replace(/[^\x20-\x7e]/g, '?')} as a program of type ${type}: loads it, fills its maps, attaches it to a device; --unload takes it away.
# Needs root, bpftool, ${tool}, and the BPF file system at /sys/fs/bpf. Written by netsieve.
set -eu

usage() {
  echo "usage: $0 [--${option} ${values.join('|')}] [--unload] DEVICE"
}

fail() {
  echo "$0: error: $1" >&2
  exit 1
}

${option}=${values[0]}
unload=
device=
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
      [ -z "$device" ] || fail "one device is taken, not $device and $1"
      device=$1
      ;;
  esac
  shift
done
case $${option} in
  ${values.join(' | ')}) ;;
  *) fail "--${option} is one of ${values.join(', ')}, not $${option}" ;;
esac
if [ -z "$device" ]; then
  usage >&2
  exit 1
fi
case $device in
  */* | .*) fail "$device is no name of a device" ;;
esac
[ "$(id -u)" -eq 0 ] || fail "this needs root"
for tool in bpftool ${tool}; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done
[ -e "/sys/class/net/$device" ] || fail "there is no device $device"
[ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ] || fail "mount the BPF file system first: mount -t bpf bpf /sys/fs/bpf"
# By number: the BPF file system takes no dots, which names may have.
folder=/sys/fs/bpf/netsieve-${type}-$(cat "/sys/class/net/$device/ifindex")

if [ -n "$unload" ]; then
  [ -e "$folder/prog" ] || fail "nothing of this script is loaded on $device"
  for ${option} in ${values.join(' ')}; do
    [ ! -e "$folder/$${option}" ] || ${detach} || echo "$0: warning: it was not attached" >&2
  done
  rm -r "$folder"
  exit 0
fi

[ ! -e "$folder" ] || fail "something is loaded on $device already: $0 --unload $device"
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
  bpftool prog load "$object" "$folder/prog"${type === 'sched_cls' ? ' type classifier' : ` type ${type}`} pinmaps "$folder/maps"
${updates.length > 0 ? `${updates.join('\n')}\n` : ''}  ${attach}
}

load
trap - EXIT
rm -f "$object"
echo "loaded on $device: $folder/prog"
`
}
