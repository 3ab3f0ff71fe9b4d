# One rule a line of a chain `type filter hook input priority 0` in a table of the family named by the last `@` line (netdev: hook ingress).
# `rule ; OK`, `rule ; UNSUPPORTED` (nft takes it, we say that we do not), `rule ; FAIL code` (both refuse it),
# `rule ; SET` (taken; its lookup in a set of its own is not compared line by line, see test/golden/netfilter),
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
ip saddr . tcp dport { 192.0.2.1 . 80 } ; SET
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
tcp dport vmap { 80 : drop } ; SET
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
tcp reserved 1 ; OK
tcp option maxseg size 500 ; OK
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
icmp id 5 ; OK
meta l4proto icmp icmp type 8 ; OK
ip saddr 192.0.2.1 icmp type 8 ; OK
ip version 4 icmp type 8 ; OK
icmp type 8 ip6 saddr ::1 ; FAIL nft/conflict
icmpv6 type nd-neighbor-solicit ; OK
icmpv6 type 128 icmpv6 code no-route ; OK
ip saddr 192.0.2.1 icmpv6 type 128 ; OK
icmpv6 id 7 ; OK
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
meta secmark 5 ; FAIL nft/unsupported
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
meta mark set ip saddr map { 192.0.2.1 : 1 } ; SET
meta mark set tcp dport map { 80 : 1, 100-200 : 0x10 } accept ; SET
meta mark set ip saddr . tcp dport map { 192.0.2.1 . 80 : 1, * : 3 } ; SET
meta priority set ip dscp map { cs1 : 1:2 } ; SET
ct mark set ip daddr map { 192.0.2.0/24 : 7 } ; SET
meta pkttype set tcp dport map { 80 : host } ; SET
meta mark set ip saddr map { 192.0.2.1 : accept } ; FAIL nft/value
meta mark set ip saddr map { 192.0.2.1 } ; FAIL nft/value
meta mark set ip saddr map { 192.0.2.1 : 1, 192.0.2.1 : 2 } ; FAIL nft/overlap
meta mark set ip saddr map @none ; FAIL nft/name
meta mark set ip saddr map { 192.0.2.1 : 1 } & 5 ; FAIL nft/syntax
tcp dport ip saddr map { 192.0.2.1 : 80 } ; FAIL nft/syntax
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
@th,0,16 80 ; OK
frag more-fragments 1 ; OK
foo bar ; FAIL nft/syntax
ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
ether daddr 02:00:00:00:00:01 icmp type 8 ; OK
ether daddr 02:00:00:00:00:01 tcp dport 80 ; OK
meta nfproto ipv4 ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
ether daddr 02:00:00:00:00:01 meta protocol ip ip saddr 192.0.2.1 ; OK
igmp type 1 ; OK
igmp mrt 1 ; OK
igmp checksum 1 ; OK
igmp group 1 ; OK
ah hdrlength 1 ; OK
ah reserved 1 ; OK
ah spi 1 ; OK
ah sequence 1 ; OK
esp spi 1 ; OK
esp sequence 1 ; OK
comp flags 1 ; OK
comp cpi 1 ; OK
hbh nexthdr tcp ; OK
hbh hdrlength 1 ; OK
dst nexthdr tcp ; OK
dst hdrlength 1 ; OK
rt nexthdr tcp ; OK
rt hdrlength 1 ; OK
rt type 1 ; OK
rt seg-left 1 ; OK
rt0 addr[1] 2001:db8::1 ; OK
rt2 addr 2001:db8::1 ; FAIL nft/field
srh flags 1 ; OK
srh tag 1 ; OK
srh last-entry 1 ; OK
srh sid[1] 2001:db8::1 ; OK
frag nexthdr tcp ; OK
frag reserved 1 ; OK
frag frag-off 1 ; OK
frag reserved2 1 ; OK
frag more-fragments 1 ; OK
frag id 1 ; OK
mh nexthdr tcp ; OK
mh hdrlength 1 ; OK
mh type 1 ; OK
mh reserved 1 ; OK
mh checksum 1 ; OK
ip option rr type 1 ; OK
ip option rr length 1 ; OK
ip option rr ptr 1 ; OK
ip option rr addr 1 ; OK
ip option lsrr type 1 ; OK
ip option lsrr length 1 ; OK
ip option lsrr ptr 1 ; OK
ip option lsrr addr 1 ; OK
ip option ssrr type 1 ; OK
ip option ssrr length 1 ; OK
ip option ssrr ptr 1 ; OK
ip option ssrr addr 1 ; OK
ip option ra type 1 ; OK
ip option ra length 1 ; OK
ip option ra value 1 ; OK
tcp option maxseg length 1 ; OK
tcp option maxseg size 1 ; OK
tcp option window length 1 ; OK
tcp option window count 1 ; OK
tcp option sack-perm length 1 ; OK
tcp option sack-permitted length 1 ; OK
tcp option sack length 1 ; OK
tcp option sack left 1 ; OK
tcp option sack right 1 ; OK
tcp option sack0 length 1 ; OK
tcp option sack0 left 1 ; OK
tcp option sack0 right 1 ; OK
tcp option sack1 length 1 ; OK
tcp option sack1 left 1 ; OK
tcp option sack1 right 1 ; OK
tcp option sack2 length 1 ; OK
tcp option sack2 left 1 ; OK
tcp option sack2 right 1 ; OK
tcp option sack3 length 1 ; OK
tcp option sack3 left 1 ; OK
tcp option sack3 right 1 ; OK
tcp option timestamp length 1 ; OK
tcp option timestamp tsval 1 ; OK
tcp option timestamp tsecr 1 ; OK
tcp option md5sig length 1 ; OK
tcp option fastopen length 1 ; OK
tcp option mptcp length 1 ; OK
tcp option mptcp subtype 1 ; OK
sctp chunk data type 1 ; OK
sctp chunk data flags 1 ; OK
sctp chunk data length 1 ; OK
sctp chunk data tsn 1 ; OK
sctp chunk data stream 1 ; OK
sctp chunk data ssn 1 ; OK
sctp chunk data ppid 1 ; OK
sctp chunk init type 1 ; OK
sctp chunk init flags 1 ; OK
sctp chunk init length 1 ; OK
sctp chunk init init-tag 1 ; OK
sctp chunk init a-rwnd 1 ; OK
sctp chunk init num-outbound-streams 1 ; OK
sctp chunk init num-inbound-streams 1 ; OK
sctp chunk init initial-tsn 1 ; OK
sctp chunk init-ack type 1 ; OK
sctp chunk init-ack flags 1 ; OK
sctp chunk init-ack length 1 ; OK
sctp chunk init-ack init-tag 1 ; OK
sctp chunk init-ack a-rwnd 1 ; OK
sctp chunk init-ack num-outbound-streams 1 ; OK
sctp chunk init-ack num-inbound-streams 1 ; OK
sctp chunk init-ack initial-tsn 1 ; OK
sctp chunk sack type 1 ; OK
sctp chunk sack flags 1 ; OK
sctp chunk sack length 1 ; OK
sctp chunk sack cum-tsn-ack 1 ; OK
sctp chunk sack a-rwnd 1 ; OK
sctp chunk sack num-gap-ack-blocks 1 ; OK
sctp chunk sack num-dup-tsns 1 ; OK
sctp chunk heartbeat type 1 ; OK
sctp chunk heartbeat flags 1 ; OK
sctp chunk heartbeat length 1 ; OK
sctp chunk heartbeat-ack type 1 ; OK
sctp chunk heartbeat-ack flags 1 ; OK
sctp chunk heartbeat-ack length 1 ; OK
sctp chunk abort type 1 ; OK
sctp chunk abort flags 1 ; OK
sctp chunk abort length 1 ; OK
sctp chunk shutdown type 1 ; OK
sctp chunk shutdown flags 1 ; OK
sctp chunk shutdown length 1 ; OK
sctp chunk shutdown cum-tsn-ack 1 ; OK
sctp chunk shutdown-ack type 1 ; OK
sctp chunk shutdown-ack flags 1 ; OK
sctp chunk shutdown-ack length 1 ; OK
sctp chunk error type 1 ; OK
sctp chunk error flags 1 ; OK
sctp chunk error length 1 ; OK
sctp chunk cookie-echo type 1 ; OK
sctp chunk cookie-echo flags 1 ; OK
sctp chunk cookie-echo length 1 ; OK
sctp chunk cookie-ack type 1 ; OK
sctp chunk cookie-ack flags 1 ; OK
sctp chunk cookie-ack length 1 ; OK
sctp chunk ecne type 1 ; OK
sctp chunk ecne flags 1 ; OK
sctp chunk ecne length 1 ; OK
sctp chunk ecne lowest-tsn 1 ; OK
sctp chunk cwr type 1 ; OK
sctp chunk cwr flags 1 ; OK
sctp chunk cwr length 1 ; OK
sctp chunk cwr lowest-tsn 1 ; OK
sctp chunk shutdown-complete type 1 ; OK
sctp chunk shutdown-complete flags 1 ; OK
sctp chunk shutdown-complete length 1 ; OK
sctp chunk asconf-ack type 1 ; OK
sctp chunk asconf-ack flags 1 ; OK
sctp chunk asconf-ack length 1 ; OK
sctp chunk asconf-ack seqno 1 ; OK
sctp chunk forward-tsn type 1 ; OK
sctp chunk forward-tsn flags 1 ; OK
sctp chunk forward-tsn length 1 ; OK
sctp chunk forward-tsn new-cum-tsn 1 ; OK
sctp chunk asconf type 1 ; OK
sctp chunk asconf flags 1 ; OK
sctp chunk asconf length 1 ; OK
sctp chunk asconf seqno 1 ; OK
exthdr hbh exists ; OK
exthdr rt exists ; OK
exthdr frag exists ; OK
exthdr dst exists ; OK
exthdr mh exists ; OK
ip option rr exists ; OK
ip option lsrr exists ; OK
ip option ssrr exists ; OK
ip option ra exists ; OK
tcp option eol exists ; OK
tcp option nop exists ; OK
tcp option maxseg exists ; OK
tcp option window exists ; OK
tcp option sack-perm exists ; OK
tcp option sack-permitted exists ; OK
tcp option sack exists ; OK
tcp option sack0 exists ; OK
tcp option sack1 exists ; OK
tcp option sack2 exists ; OK
tcp option sack3 exists ; OK
tcp option timestamp exists ; OK
tcp option md5sig exists ; OK
tcp option mptcp exists ; OK
tcp option fastopen exists ; OK
sctp chunk data exists ; OK
sctp chunk init exists ; OK
sctp chunk init-ack exists ; OK
sctp chunk sack exists ; OK
sctp chunk heartbeat exists ; OK
sctp chunk heartbeat-ack exists ; OK
sctp chunk abort exists ; OK
sctp chunk shutdown exists ; OK
sctp chunk shutdown-ack exists ; OK
sctp chunk error exists ; OK
sctp chunk cookie-echo exists ; OK
sctp chunk cookie-ack exists ; OK
sctp chunk ecne exists ; OK
sctp chunk cwr exists ; OK
sctp chunk shutdown-complete exists ; OK
sctp chunk asconf-ack exists ; OK
sctp chunk forward-tsn exists ; OK
sctp chunk asconf exists ; OK
icmp sequence 5 ; OK
icmp mtu 1400 ; OK
icmp gateway 5 ; OK
icmp type echo-request icmp id 5 ; OK
icmp type echo-reply icmp sequence 5 icmp id 6 ; OK
icmp type { echo-reply, echo-request } icmp id 5 ; OK
icmp type destination-unreachable icmp mtu 1400 ; OK
icmp type 3 icmp id 5 ; FAIL nft/conflict
icmp id 5 icmp mtu 5 ; FAIL nft/conflict
icmpv6 param-problem 5 ; OK
icmpv6 mtu 1280 ; OK
icmpv6 sequence 5 ; OK
icmpv6 max-delay 5 ; OK
dccp type request ; OK
dccp type { request, data } ; OK
dccp sport 5 dccp type 2 ; OK
igmp type membership-query ; OK
igmp type { 17, 22 } ; OK
igmp type 256 ; FAIL rules/number
ah spi 5-9 ; OK
esp spi != 5 ; OK
comp cpi { 5, 7 } ; OK
tcp option maxseg size 500-1400 ; OK
tcp option maxseg size { 500, 1400 } ; OK
tcp option maxseg size < 500 drop ; OK
tcp option maxseg size != 500 ; OK
tcp option 200 exists ; OK
tcp option 256 exists ; FAIL nft/field
tcp option @34,16,32 1 ; OK
tcp option @200,8,4 1 ; OK
tcp option sack missing ; OK
tcp option nosuch exists ; FAIL nft/field
tcp option maxseg nosuch 5 ; FAIL nft/field
tcp dport 80 tcp option sack-permitted missing drop ; OK
exthdr frag missing ; OK
exthdr hbh missing ip6 saddr 2001:db8::1 ; OK
ip saddr 192.0.2.1 exthdr frag exists ; FAIL nft/conflict
ip option ra missing ; OK
ip option rr value 1 ; FAIL nft/field
ip6 saddr 2001:db8::1 ip option rr exists ; FAIL nft/conflict
frag frag-off != 0 ; OK
frag id 5-9 ; OK
rt0 addr[2] 2001:db8::1 ; OK
srh sid[2] 2001:db8::1 ; OK
rt type { 0, 4 } ; OK
mh type binding-update ; OK
mh type nosuch ; FAIL nft/name
sctp chunk data tsn 5-9 ; OK
sctp chunk data missing ; OK
sctp dport 80 sctp chunk init init-tag 5 ; OK
sctp chunk nosuch exists ; FAIL nft/field
@th,0,16 { 80, 443 } ; OK
@th,12,4 5 ; OK
@th,4,12 5 ; OK
@th,0,24 5 ; OK
@th,32,128 5 ; OK
@nh,8,4 5 ; OK
@nh,96,32 0x0a000001 ; OK
@ll,0,16 5 ; OK
@ll,0,48 0x020000000001 ; OK
@th,0,16 != 80 ; OK
@th,0,16 80-443 ; OK
@th,0,200 5 ; FAIL nft/value
@ih,0,32 vmap { 5 : drop } ; UNSUPPORTED
udp dport 53 @ih,0,32 vmap { 5 : drop } ; SET
@th,16,16 vmap { 53 : drop } ; SET
ip saddr . @th,16,16 { 192.0.2.1 . 53 } ; SET
@ll,96,16 0x800 ; UNSUPPORTED
tcp flags & (fin|syn) == (fin|syn) ; OK
tcp flags & (fin | syn) != ( syn ) ; OK
tcp flags == (syn|ack) ; OK
tcp flags (syn|ack) ; OK
tcp flags { syn, syn|ack, fin | psh } ; OK
tcp flags { (syn|ack), fin } ; OK
tcp flags & (fin|syn|rst|ack) { syn, rst|ack } ; OK
tcp flags & (fin|syn) != { fin, syn } ; OK
tcp flags & (fin|syn) fin-syn ; FAIL nft/name
tcp flags { (syn|ack, fin } ; FAIL nft/syntax
iifname { eth0, wlan* } ; OK
iifname { eth*0 } ; FAIL nft/syntax
ct state & (new|established) == new ; OK
tcp dport vmap { 22: accept, 80:drop, 1000-2000: return } ; SET
tcp flags vmap { syn: accept, syn|ack: drop } ; SET
ip6 saddr vmap { ::1: accept, fe80::/10:drop } ; SET
ether saddr vmap { 00:11:22:33:44:55: drop } ; SET
ip saddr . tcp dport vmap { 10.0.0.1 . 80: drop, 10.0.0.1 . 81:accept } ; SET
meta mark set tcp dport map { 80: 1, 443: 2 } ; SET
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
arp saddr ip 192.0.2.1 ; OK
meta nfproto ipv4 ; FAIL nft/nfproto
ether daddr 02:00:00:00:00:01 arp plen 4 ; OK
ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
ether daddr 02:00:00:00:00:01 icmp type 8 ; OK
ip saddr 192.0.2.1 ether daddr 02:00:00:00:00:01 ip daddr 192.0.2.1 ; OK
ether type != arp ip saddr 192.0.2.1 ; OK
meta protocol ip6 ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; FAIL nft/conflict
tcp dport 80 ether daddr 02:00:00:00:00:01 ip saddr 192.0.2.1 ; OK
vlan id 1 ; OK
vlan pcp 1 ; OK
vlan dei 1 ; OK
vlan cfi 1 ; OK
vlan type ip ; OK
arp saddr ip 192.0.2.1 ; OK
arp saddr ether 02:00:00:00:00:01 ; OK
arp daddr ip 192.0.2.1 ; OK
arp daddr ether 02:00:00:00:00:01 ; OK
vlan id 1-9 ; OK
vlan id { 5, 7 } ; OK
vlan id 5 vlan pcp 3 ; OK
vlan id 5 tcp dport 80 ; OK
vlan id 5 ip saddr 192.0.2.1 ; OK
vlan type ip ip saddr 192.0.2.1 ; OK
vlan type vlan vlan id 5 ; OK
vlan id 1 vlan type vlan vlan id 5 ip saddr 192.0.2.1 ; OK
ether type vlan vlan id 5 ; OK
ether type 8021ad vlan id 5 ; OK
ether type 8021ad vlan type 8021q vlan id 5 ; OK
ether type ip vlan id 5 ; FAIL nft/conflict
ip saddr 192.0.2.1 vlan id 5 ; FAIL nft/conflict
vlan id 4096 ; FAIL rules/number
exthdr frag exists ; OK
frag id 5 ; OK
ip option rr exists ; OK
tcp option sack exists ; OK
igmp type 17 ; OK
icmp id 5 ; OK
@ll,96,16 0x800 ; OK
@ll,112,16 5 ; OK
@nh,0,8 0x45 ; OK
@ inet
tcp dport | 1 == 81 ; OK
tcp dport ^ 1 == 81 ; OK
tcp dport & 80 | 1 == 1 ; OK
meta mark & 0xff ^ 0x3 | 0x10 == 0x11 ; OK
meta mark | 0x10 & 0x30 == 0x11 ; OK
meta mark or 0xff 1 ; OK
meta mark == 1 | 2 ; OK
tcp dport 80|443 ; OK
meta mark << 2 == 4 ; FAIL nft/operator
tcp dport >> 8 == 1 ; FAIL nft/operator
ip6 saddr | ::1 == ::1 ; UNSUPPORTED
tcp flags ! syn,ack ; OK
tcp flags (syn,ack) ; FAIL nft/syntax
tcp flags & (syn|ack) vmap { syn : accept, ack : drop } ; SET
ip saddr & 255.0.0.0 . tcp dport { 10.0.0.0 . 80, 11.0.0.0 . 443 } ; SET
tcp option sack == exists ; OK
tcp option sack != missing ; OK
exthdr frag eq 0 ; OK
ip option rr != 1 ; OK
meta secpath exists ; OK
ipsec in reqid 1 ; UNSUPPORTED
ipsec out ip daddr 192.168.1.1 ; UNSUPPORTED
rt ip nexthop 10.0.0.1 ; UNSUPPORTED
fib saddr . iif oif lo ; UNSUPPORTED
meta mark set socket mark ; UNSUPPORTED
ct original zone set 1 ; UNSUPPORTED
ip saddr set ip daddr ; UNSUPPORTED
ip daddr set tcp dport map { 80 : 1.2.3.4 } ; UNSUPPORTED
jump { tcp dport 80 accept; drop; } ; UNSUPPORTED
ct count until 20 ; FAIL nft/syntax
limit rate until 10/second ; FAIL nft/syntax
priority set 1:2 ; FAIL nft/unsupported
reject with icmpx 9 ; FAIL nft/reject
