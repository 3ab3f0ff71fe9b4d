#!/bin/sh
# Records the numbers that iptables 1.8.9 has for the names of ICMP types, as iptables-legacy -S prints them: `program name numbers` a line.
#   test/rules/iptables/icmp.record.sh      (as root; rules are made in a network namespace of its own)
cd "$(dirname "$0")" || exit 1
record() {
  program=$1 proto=$2 option=$3
  "$program" -p "$proto" -h | sed -n '/^Valid ICMP/,$p' | tail -n +2 | tr -d '()' | tr ' ' '\n' | grep . | while read -r name; do
    unshare -n sh -c "$program -A INPUT -p $proto $option $name && $program -S INPUT" | sed -n "s/.*$option \([^ ]*\).*/$program $name \1/p"
  done
}
{
  record iptables-legacy icmp --icmp-type
  record ip6tables-legacy icmpv6 --icmpv6-type
} > icmp.golden.txt
