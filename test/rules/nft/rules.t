# One rule a line of a chain `type filter hook input priority 0` in a table of the family named by the last `@` line (netdev: hook ingress).
# `rule ; OK`, `rule ; UNSUPPORTED` (nft takes it, we say that we do not), `rule ; FAIL code` (both refuse it),
# `rule ; STRICTER code` (nft takes it, we refuse it as a mistake). What nft makes of each is in netlink.golden.json (record.py).
@ inet
ip saddr 192.0.2.1 ; OK
ip saddr 10.0.0.7/8 ; OK
ip saddr 10.0.0.0/9 drop ; OK
ip saddr != 10.0.0.0/8 ; OK
ip saddr 10.0.0.0-10.0.0.9 ; OK
ip saddr != 10.0.0.0-10.0.0.9 ; OK
ip saddr - 10.0.0.9 ; FAIL nft/syntax
ip saddr 10.0.0.1 - 10.0.0.9 accept ; OK
ip saddr { 10.0.0.1, 10.0.0.9 } ; OK
ip saddr { 10.0.0.1 } ; OK
ip saddr != { 10.0.0.0/8, 192.0.2.1-192.0.2.5 } ; OK
ip saddr { 10.0.0.0/8 } ; OK
ip saddr < 10.0.0.1 ; OK
ip saddr >= 10.0.0.1 ; OK
ip saddr & 255.0.255.0 == 10.0.5.0 ; OK
ip saddr 0.0.0.0/0 ; OK
ip daddr 192.0.2.1 ip saddr 192.0.2.2 ; OK
ip6 saddr 2001:db8::1 ; OK
ip6 daddr fe80::/10 ; OK
ip6 daddr != fe80::/16 ; OK
ip6 daddr { fe80::1, fe80::2-fe80::5 } ; OK
ip6 saddr ::ffff:192.0.2.1 ; OK
ip saddr 010.0.0.1 ; STRICTER rules/address
ip saddr localhost ; STRICTER rules/address
ip saddr 10.0.0.1/33 ; FAIL rules/prefix
ip saddr 10.0.0.300 ; FAIL rules/address
ip saddr ::1 ; FAIL rules/address
ip6 saddr 10.0.0.1 ; FAIL rules/address
ip saddr 10.0.0.1/255.0.0.0 ; FAIL nft/syntax
ip saddr 10.0.0.9-10.0.0.1 ; FAIL rules/range
ip saddr < 10.0.0.0/8 ; FAIL nft/operator
ip saddr 10.0.0.1,10.0.0.2 ; FAIL nft/list
ip saddr 192.0.2.1 ip6 saddr ::1 ; FAIL nft/conflict
ip saddr @nothing ; FAIL nft/name
ip saddr $nothing ; FAIL nft/variable
ip saddr { } ; FAIL nft/syntax
ip saddr { 10.0.0.1 10.0.0.2 } ; FAIL nft/syntax
ip saddr . tcp dport { 192.0.2.1 . 80 } ; UNSUPPORTED
tcp dport 80 ; OK
tcp dport http ; OK
tcp dport "http" drop ; OK
tcp dport 0x50 ; OK
tcp dport 010 ; OK
tcp dport != 80 ; OK
tcp dport ne 80 ; OK
tcp dport == 80 ; OK
tcp dport eq 80 accept ; OK
tcp dport < 1024 ; OK
tcp dport le 1024 ; OK
tcp dport > 1024 ; OK
tcp dport ge 1024 ; OK
tcp dport 80-90 ; OK
tcp dport 80-http ; OK
tcp dport != 80-90 ; OK
tcp dport 0-65535 ; OK
tcp dport != 0-65535 ; OK
tcp dport { 80, 443 } ; OK
tcp dport{80,443}drop ; OK
tcp dport { 80, 443, } ; OK
tcp dport { http, 8000-8999, 22 } drop ; OK
tcp dport { 80-90, 85-95 } ; OK
tcp dport != { 80, 443 } ; OK
tcp dport == { 80, 443 } ; OK
tcp dport { 80 } accept ; OK
tcp dport { 0-65535 } ; OK
tcp dport 80 ip saddr 192.0.2.1 ; OK
tcp dport 80 # a comment ; OK
udp sport 53 ; OK
udp sport domain udp length 8 ; OK
udplite dport 80 ; OK
sctp dport 80 ; OK
dccp sport 80 ; OK
th dport 80 ; OK
meta l4proto { tcp, udp } th dport 53 ; OK
tcp dport 70000 ; FAIL rules/port
tcp dport 0x10000 ; FAIL rules/port
tcp dport { 80, 70000 } ; FAIL rules/port
tcp dport foo ; FAIL rules/port
tcp dport http-80 ; FAIL rules/port
tcp dport 90-80 ; FAIL rules/range
tcp dport { 90-80 } ; FAIL rules/range
tcp dport 80,443 ; FAIL nft/list
tcp dport < { 80 } ; OK
tcp dport < { 80, 81 } ; FAIL nft/operator
tcp dport > 80-90 ; FAIL nft/operator
tcp dport ! 80 ; FAIL nft/operator
tcp dport ; FAIL nft/syntax
tcp ; FAIL nft/syntax
tcp foo 5 ; FAIL nft/field
tcp dport 80 udp dport 53 ; FAIL nft/conflict
tcp dport 80 tcp ; FAIL nft/syntax
tcp dport vmap { 80 : drop } ; UNSUPPORTED
tcp dport 00080 ; STRICTER rules/port
tcp flags syn ; OK
tcp flags syn,ack ; OK
tcp flags 2 ; OK
tcp flags == syn ; OK
tcp flags == syn|ack ; OK
tcp flags != syn,ack ; OK
tcp flags ! syn ; OK
tcp flags & (fin|syn) == syn ; OK
tcp flags & (fin | syn | rst) != 0 ; OK
tcp flags & syn != 0 ; OK
tcp flags syn / syn,ack ; OK
tcp flags { syn, ack } ; OK
tcp flags foo ; FAIL nft/name
tcp flags & syn ; FAIL nft/syntax
tcp sequence 5 ; OK
tcp ackseq 5-9 ; OK
tcp doff > 5 ; OK
tcp window 100-200 ; OK
tcp checksum 0 ; OK
tcp urgptr != 0 ; OK
tcp reserved 1 ; UNSUPPORTED
tcp option maxseg size 500 ; UNSUPPORTED
ip protocol tcp ; OK
ip protocol != tcp ; OK
ip protocol 6 tcp dport 80 ; OK
ip protocol != 6 tcp dport 80 ; OK
ip protocol { tcp, udp } th dport 53 ; OK
ip protocol & 255 == 6 tcp dport 80 ; OK
ip protocol ipv6-icmp ; OK
ip protocol 300 ; FAIL rules/protocol
ip protocol foo ; FAIL rules/protocol
ip protocol icmp icmp type 8 ; OK
ip protocol udp icmp type 8 ; FAIL nft/conflict
ip6 nexthdr tcp ; OK
ip6 nexthdr tcp tcp dport 80 ; OK
ip6 nexthdr { tcp } udp dport 53 ; FAIL nft/conflict
ip version 4 ; OK
ip hdrlength > 5 ; OK
ip dscp cs1 ; OK
ip dscp != { cs1, 5 } ; OK
ip dscp 64 ; FAIL rules/number
ip ecn ce ; OK
ip length 20-40 ; OK
ip id 0x10 ; OK
ip frag-off 0 ; OK
ip frag-off & 0x1fff != 0 ; OK
ip ttl 64 ; OK
ip ttl 010 ; OK
ip ttl 08 ; FAIL rules/number
ip ttl { 1, 2-3 } ; OK
ip ttl 300 ; FAIL rules/number
ip checksum 5 ; OK
ip6 dscp 5 ; OK
ip6 ecn not-ect ; OK
ip6 flowlabel 5 ; OK
ip6 length > 100 ; OK
ip6 hoplimit < 2 ; OK
meta l4proto tcp ; OK
meta l4proto "tcp" ; OK
meta l4proto != udp ; OK
meta l4proto 5-7 tcp dport 80 ; OK
meta l4proto { tcp, udp } ; OK
meta l4proto { tcp } tcp dport 80 ; OK
meta l4proto { tcp, udp } tcp dport 80 ; FAIL nft/conflict
meta l4proto { udp, tcp } udp dport 80 ; FAIL nft/conflict
meta l4proto { 6, 6 } tcp dport 80 ; OK
meta l4proto tcp udp dport 80 ; FAIL nft/conflict
meta l4proto icmpv6 ; OK
meta l4proto != tcp tcp dport 80 ; OK
tcp dport 80 meta l4proto udp ; OK
meta nfproto ipv4 ; OK
meta nfproto ipv4 tcp dport 80 ; OK
meta nfproto ipv4 ip saddr 192.0.2.1 ; OK
meta nfproto ipv4 ip6 saddr ::1 ; FAIL nft/conflict
meta nfproto ipv4 meta nfproto ipv6 ; OK
meta nfproto foo ; FAIL nft/name
meta protocol ip ; OK
meta protocol 0x86dd ; OK
meta protocol 8021q ; OK
meta protocol ip tcp dport 80 ip saddr 192.0.2.1 ; OK
meta protocol ip ip6 saddr ::1 ; OK
meta protocol { ip, ip6 } ip6 saddr ::1 ; OK
ether type ip ; OK
ether type ip6 ip6 saddr ::1 ; OK
ether saddr 00:11:22:33:44:55 ; OK
ether daddr { 00:11:22:33:44:55, 00:11:22:33:44:56 } ; OK
ether saddr 00:11:22:33:44 ; FAIL rules/mac
meta iif lo ; OK
iifname "lo" accept ; OK
oif lo ; OK
meta mark 5 ; OK
meta length 5 ; OK
meta foo 5 ; FAIL nft/field
icmp type echo-request ; OK
icmp type { echo-request, 0 } ; OK
icmp type != 8 icmp code port-unreachable ; OK
icmp code 1-3 ; OK
icmp type foo ; FAIL nft/name
icmp id 5 ; UNSUPPORTED
meta l4proto icmp icmp type 8 ; OK
ip saddr 192.0.2.1 icmp type 8 ; OK
ip version 4 icmp type 8 ; OK
icmp type 8 ip6 saddr ::1 ; FAIL nft/conflict
icmpv6 type nd-neighbor-solicit ; OK
icmpv6 type 128 icmpv6 code no-route ; OK
ip saddr 192.0.2.1 icmpv6 type 128 ; OK
icmpv6 id 7 ; UNSUPPORTED
counter ; OK
counter packets 5 bytes 6 drop ; OK
counter tcp dport 81 ; OK
tcp dport 80 counter accept comment "web" ; OK
accept ; OK
drop comment "x" ; OK
return ; OK
continue ; OK
accept drop ; FAIL nft/after-verdict
drop counter ; FAIL nft/after-verdict
comment "x" drop ; FAIL nft/syntax
accpet ; FAIL nft/syntax
iif != 3 drop ; OK
iif { 1, 3 } ; OK
iif { lo, 3 } ; UNSUPPORTED
iifname "eth*" ; OK
iifname != "eth*" ; OK
iifname eth0 ; OK
iifname "eth\*" ; OK
iifname { "eth0", "lo" } ; OK
iifname { "eth*", "lo" } ; OK
iifname != { "eth0", "lo" } ; OK
iifname "sixteen-letters-" ; FAIL nft/value
iifname "*" ; FAIL nft/name
iiftype ether ; OK
iiftype != { ether, ppp } ; OK
iifgroup default ; OK
meta iifkind "vrf" ; OK
oifname "ppp*" accept ; OK
meta mark and 0xff == 3 ; OK
meta mark & 0xf0 != 0x10 ; OK
mark { 1, 5-9 } ; OK
mark != 0x10 ; OK
meta priority 1:2 ; OK
meta priority none ; OK
meta pkttype broadcast ; OK
pkttype { unicast, multicast } ; OK
pkttype ! broadcast ; FAIL nft/operator
meta skuid 0 ; OK
meta skuid root ; OK
meta skgid 0-10 ; OK
meta cpu 1 ; OK
meta cgroup 1 ; OK
meta rtclassid cosmos ; OK
meta ipsec exists ; OK
meta day Saturday ; OK
meta length 1-100 ; OK
meta length > 100 ; OK
meta length != { 40, 60-80 } ; OK
ct state established,related accept ; OK
ct state ! established ; OK
ct state != established ; OK
ct state { new, invalid } drop ; OK
ct state & (new | related) != 0 ; OK
ct state nonsense ; FAIL nft/name
ct status assured ; OK
ct status snat,dnat ; OK
ct direction reply ; OK
ct mark 5 ; OK
ct mark & 0xff != 5 ; OK
ct zone 3 ; OK
ct helper "ftp" ; OK
ct expiration > 10s ; OK
ct expiration 1m30s ; OK
ct bytes > 100 ; OK
ct packets 1-5 ; OK
ct avgpkt < 100 ; OK
ct original ip saddr 192.0.2.1 ; OK
ct reply ip saddr 10.1.2.0/23 ; OK
ct reply ip6 daddr 2001:db8::1 ; OK
ct l3proto ipv4 ; OK
ct protocol tcp ; OK
ct original protocol udp ; OK
ct original proto-dst 80 ; FAIL nft/unsupported
ct label 5 ; UNSUPPORTED
ct count over 5 ; UNSUPPORTED
meta secmark 5 ; FAIL nft/unsupported
meta random 5 ; UNSUPPORTED
ct state new accept ; OK
limit rate over 10 mbytes/minute burst 5 kbytes drop ; OK
limit rate 400/hour burst 7 packets ; OK
limit rate 0/second ; FAIL nft/limit
limit rate 5/second burst 0 packets ; FAIL nft/limit
limit rate 5/second burst 3 bytes ; FAIL nft/limit
limit rate 5/fortnight ; FAIL nft/syntax
quota over 10 mbytes drop ; OK
quota until 10 kbytes used 5 bytes drop ; OK
quota 5/second ; FAIL nft/syntax
log ; OK
log prefix "x" level warn flags tcp sequence,options flags ip options counter ; OK
log group 3 snaplen 10 queue-threshold 4 prefix "x" drop ; OK
log level nonsense ; FAIL nft/syntax
reject ; OK
reject with tcp reset ; OK
reject with icmpx type admin-prohibited ; OK
reject with icmpx admin-prohibited ; OK
reject with icmpv6 type no-route ; OK
reject with icmp type nonsense ; FAIL nft/reject
reject accept ; FAIL nft/after-verdict
meta mark set mark ; OK
meta mark set 0x1ffffffff ; FAIL rules/number
meta nftrace set 1 ; OK
meta priority set 1:1 accept ; OK
ct mark set 5 ; OK
tcp dport 22 limit rate 3/minute counter log accept ; OK
limit rate 5/second accept ; OK
log prefix "a # b; c" accept ; OK
reject with icmp type host-unreachable ; OK
tcp dport 80 reject ; OK
meta mark set 5 ; OK
fib daddr type local ; UNSUPPORTED
@th,0,16 80 ; UNSUPPORTED
frag more-fragments 1 ; UNSUPPORTED
vlan id 5 ; UNSUPPORTED
foo bar ; FAIL nft/syntax
ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
ether daddr 02:00:00:00:00:01 icmp type 8 ; OK
ether daddr 02:00:00:00:00:01 tcp dport 80 ; OK
meta nfproto ipv4 ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
ether daddr 02:00:00:00:00:01 meta protocol ip ip saddr 192.0.2.1 ; OK
@ ip
ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
ip saddr 192.0.2.1 ; OK
tcp dport 80 drop ; OK
icmp type 8 ; OK
icmpv6 type 8 ; OK
ip protocol icmp icmp type 8 ; OK
meta protocol ip ; OK
ip6 saddr ::1 ; FAIL nft/conflict
meta nfproto ipv4 ; FAIL nft/nfproto
@ ip6
ip6 saddr ::1 tcp dport 80 ; OK
icmp type 8 ; OK
icmpv6 type 128 ; OK
ip6 nexthdr tcp tcp dport 80 ; OK
ip saddr 192.0.2.1 ; FAIL nft/conflict
@ netdev
ip saddr 192.0.2.1 ; OK
ip saddr 10.0.0.0/8 ; OK
ip saddr != 10.0.0.0/16 ; OK
ip saddr 10.0.0.0/9 ; OK
ip saddr { 10.0.0.0/8 } ; OK
ip6 saddr fe80::/16 ; OK
tcp dport 80 ; OK
ip protocol tcp tcp dport 80 ; OK
icmp type 8 ; OK
icmpv6 type 128 ; OK
meta protocol ip tcp dport 80 ; OK
meta protocol ip ip saddr 192.0.2.1 ; OK
meta protocol ip6 ip saddr 192.0.2.1 ; FAIL nft/conflict
meta protocol { ip, ip6 } tcp dport 80 ; OK
meta protocol != ip ip saddr 192.0.2.1 ; OK
meta l4proto 6 ip saddr 192.0.2.1 ; OK
udp dport 53 ip saddr 192.0.2.1 ; OK
ether type ip ip saddr 192.0.2.1 ; OK
arp operation request ; OK
arp htype 1 arp ptype ip ; OK
arp saddr ip 192.0.2.1 ; UNSUPPORTED
meta nfproto ipv4 ; FAIL nft/nfproto
ether daddr 02:00:00:00:00:01 arp plen 4 ; OK
ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
ether daddr 02:00:00:00:00:01 icmp type 8 ; OK
ip saddr 192.0.2.1 ether daddr 02:00:00:00:00:01 ip daddr 192.0.2.1 ; OK
ether type != arp ip saddr 192.0.2.1 ; OK
meta protocol ip6 ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; FAIL nft/conflict
tcp dport 80 ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
