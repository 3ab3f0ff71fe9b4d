#!/bin/sh
# Records what tcpdump -d, -dd and -ddd print for expressions that between them use every classic instruction tcpdump makes.
# sh record-tcpdump.sh > golden/tcpdump.txt
tcpdump --version 2>&1 | sed 's/^/# /'
while IFS= read -r expression; do
  for dialect in d dd ddd; do
    printf '=== %s %s\n' "$dialect" "$expression"
    tcpdump "-$dialect" -y EN10MB "$expression" 2>/dev/null
  done
done <<'END'
ip and tcp dst port 80
ip6 and udp
len > 100
ip[0] & 0xf != 5
tcp[tcpflags] & tcp-syn != 0
ip[2:2] % 7 = 3 and ip[8] / 2 > 4 and ip[9]*3 - 1 < 100
ether[0] << 3 > ether[1] >> 2 and ether[2] | 4 ^ 3 = 7
ip[ip[0] & 15] = -ip[1]
ip[6:2] / ip[1] = 3
ether[ether[0] + ether[1]] + ether[2] * ether[3] - ether[4] > (ether[5] | ether[6]) & (ether[7] ^ ether[8])
ether[0:2] << ether[1] >= ether[2:4] >> ether[3]
vlan and ip
host 10.0.0.1 and not port 22
icmp[icmptype] = icmp-echo
END
