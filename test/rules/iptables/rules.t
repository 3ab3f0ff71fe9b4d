# One rule a line, after `-A INPUT`; iptables, or ip6tables after an `@ ip6tables` line.
# `rule ; OK`, `rule ; OK` (only the profile xt-legacy has it), `rule ; UNSUPPORTED` (iptables takes it, we say that we do not),
# `rule ; FAIL code` (both refuse it), `rule ; STRICTER code` (iptables takes it, we refuse it as a mistake).
# What iptables-nft makes of each is in netlink.golden.json (record.py).
@ iptables
-j ACCEPT ; OK
-j DROP ; OK
-j RETURN ; OK
-p tcp ; OK
-p TCP -j DROP ; OK
-p 6 -j DROP ; OK
-p 010 -j DROP ; OK
-p ipv6-icmp -j DROP ; OK
-p all -j DROP ; OK
-p 0 -j DROP ; OK
-p ip -j DROP ; OK
! -p tcp -j DROP ; OK
--protocol udp -j DROP ; OK
--proto udp -j DROP ; OK
-ptcp -j DROP ; FAIL iptables/syntax
-p foo -j DROP ; FAIL rules/protocol
-p 300 -j DROP ; FAIL rules/protocol
! -p all -j DROP ; FAIL iptables/never
-p tcp -p udp -j DROP ; FAIL iptables/twice
-p ; FAIL iptables/argument
-s 192.0.2.1 -j DROP ; OK
--source 192.0.2.1/24 -j DROP ; OK
-s 10.0.0.0/8 -j DROP ; OK
-s 10.0.0.0/16 -j DROP ; OK
-s 10.1.2.3/12 -j DROP ; OK
-s 10/8 -j DROP ; OK
-s 0/0 -j DROP ; OK
-s 0.0.0.0/0 -j DROP ; OK
! -s 0.0.0.0/0 -j DROP ; FAIL iptables/never
! -s 10.0.0.0/8 -j DROP ; OK
-s 10.0.0.0/255.0.0.0 -j DROP ; OK
-s 10.0.5.0/255.0.255.0 -j DROP ; OK
! -d 10.0.5.0/255.0.255.0 -j DROP ; OK
-s 192.0.2.1 -d 192.0.2.2 -j DROP ; OK
-d 192.0.2.2 -s 192.0.2.1 -p tcp --dport 80 -j DROP ; OK
! -s 192.0.2.1,192.0.2.2 -j DROP ; FAIL iptables/negation
-s 10.0.0.1/33 -j DROP ; FAIL rules/prefix
-s ::1 -j DROP ; FAIL rules/address
-s 192.0.2.300 -j DROP ; FAIL rules/address
-s 010.0.0.1 -j DROP ; STRICTER rules/address
-s 10.1 -j DROP ; STRICTER rules/address
-s localhost -j DROP ; STRICTER rules/address
-f -j DROP ; OK
! -f -j DROP ; OK
-f ! -s 192.0.2.1 -j DROP ; OK
-p tcp --dport 80 -j DROP ; OK
-p tcp -m tcp --dport 80 -j DROP ; OK
-m tcp -p tcp --dport 80 -j DROP ; OK
-p tcp --destination-port 80 -j DROP ; OK
-p tcp --dport http -j DROP ; OK
-p tcp --dport 0x50 -j DROP ; OK
-p tcp --dport 010 -j DROP ; OK
-p tcp --dport=80 -j DROP ; OK
-p tcp --dpo 80 -j DROP ; OK
-p tcp ! --dport 80 -j DROP ; OK
-p tcp --sport 1024:65535 -j DROP ; OK
-p tcp --sport 1024: -j DROP ; OK
-p tcp --sport :1023 -j DROP ; OK
-p tcp ! --sport :1023 -j DROP ; OK
-p tcp ! --sport 80:90 -j DROP ; OK
-p tcp --sport 80:80 -j DROP ; OK
-p tcp --dport http:443 -j DROP ; OK
-p tcp --sport 1 --dport 0:65535 -j DROP ; OK
-p tcp --sport 0:65535 ! --dport 53 -j DROP ; OK
-p tcp ! --dport 0:65535 -j DROP ; OK
-p udp --dport 53 -j DROP ; OK
-p udp -m udp --sport 53 ! --dport 1024: -j DROP ; OK
-p tcp -m comment --comment "to the web" --dport 80 -j DROP ; OK
-p tcp --dport : -j DROP ; OK
-p tcp --dport 0:65535 -j DROP ; OK
-p tcp -m tcp -j DROP ; OK
-p udp -m udp -j DROP ; OK
-p sctp --dport 80 -j DROP ; OK
-p dccp --sport 80 -j DROP ; OK
-p tcp -m multiport --dports 80,443 -j DROP ; OK
-p udp -m multiport ! --ports 53,1000:2000 -j DROP ; OK
-p tcp -m multiport --sports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 -j DROP ; FAIL iptables/ports
-m multiport --dports 80 -j DROP ; FAIL iptables/protocol
-p tcp --dport 70000 -j DROP ; FAIL rules/port
-p tcp --dport foo -j DROP ; FAIL rules/port
-p tcp --dport fsp -j DROP ; FAIL rules/port
-p tcp --dport 90:80 -j DROP ; FAIL rules/range
-p tcp --dport 1 --dport 2 -j DROP ; FAIL iptables/twice
-p tcp --dport -j DROP ; FAIL iptables/argument
-p tcp --dport ! 80 -j DROP ; FAIL iptables/syntax
-p tcp --dprot 80 -j DROP ; FAIL iptables/option
--dport 80 -j DROP ; FAIL iptables/option
-p udplite --dport 80 -j DROP ; FAIL iptables/option
-m udp --dport 80 -j DROP ; FAIL iptables/protocol
-p tcp -m udp --dport 80 -j DROP ; FAIL iptables/protocol
! -p tcp -m udp -j DROP ; FAIL iptables/protocol
-p tcp --syn -j DROP ; OK
-p tcp ! --syn -j DROP ; OK
-p tcp --tcp-flags ALL SYN -j DROP ; OK
-p tcp --tcp-flags SYN,ACK,FIN SYN,ACK --dport 80 -j DROP ; OK
-p tcp ! --tcp-flags SYN,ACK NONE -j DROP ; OK
-p tcp --tcp-flags SYN FOO -j DROP ; FAIL iptables/flags
-p tcp --tcp-option 5 -j DROP ; UNSUPPORTED
-i eth0 -j DROP ; OK
! -i eth+ -j DROP ; OK
-m state --state NEW -j ACCEPT ; OK
-m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT ; OK
-i + -j DROP ; OK
-i eth0 -p tcp -s 10.0.0.0/8 -j DROP ; OK
-i sixteen-letters- -j DROP ; FAIL iptables/interface
-o eth0 -j DROP ; FAIL iptables/hook
-m mark --mark 5 -j DROP ; OK
-m mark ! --mark 0x10/0xf0 -j DROP ; OK
-m mark --mark 0x1ffffffff -j DROP ; FAIL iptables/number
-m connmark --mark 5/0xff -j DROP ; OK
-m pkttype --pkt-type broadcast -j DROP ; OK
-m pkttype ! --pkt-type unicast -j DROP ; OK
-m pkttype --pkt-type nonsense -j DROP ; FAIL iptables/name
-m mac --mac-source 02:00:00:00:00:01 -j DROP ; OK
-m mac ! --mac-source 02:00:00:00:00:01 -j DROP ; OK
-m length --length 40 -j DROP ; OK
-m length --length 40:100 -j DROP ; OK
-m length ! --length :100 -j DROP ; OK
-m length --length 100:40 -j DROP ; OK
-m length --length 65536 -j DROP ; FAIL iptables/number
-m cpu --cpu 1 -j DROP ; OK
-m devgroup --src-group 5 -j DROP ; OK
-m realm --realm 5 -j DROP ; OK
-m conntrack ! --ctstate INVALID,SNAT -j DROP ; OK
-m conntrack --ctstatus ASSURED --ctdir REPLY -j DROP ; OK
-m conntrack --ctproto tcp --ctorigsrc 10.0.0.0/8 --ctorigdstport 80:90 -j DROP ; OK
-m conntrack --ctexpire 5:10 -j DROP ; OK
-m state --state NONSENSE -j DROP ; FAIL iptables/name
-m state --state SNAT -j DROP ; FAIL iptables/name
-m limit --limit 5/min -j ACCEPT ; UNSUPPORTED
-p icmp --icmp-type 8 -j ACCEPT ; UNSUPPORTED
-p icmp -m icmp --icmp-type echo-request -j ACCEPT ; UNSUPPORTED
-m ttl --ttl-eq 5 -j DROP ; UNSUPPORTED
-j REJECT ; UNSUPPORTED
-j LOG --log-prefix "a b" ; UNSUPPORTED
-m foo -j DROP ; FAIL iptables/match
-j FOO ; FAIL iptables/chain
-g FOO ; FAIL iptables/chain
-j ACCEPT -j DROP ; FAIL iptables/twice
-j ; FAIL iptables/argument
-j DROP foo ; FAIL iptables/argument
! -j DROP ; FAIL iptables/negation
-t foo -j DROP ; FAIL iptables/table
--foo -j DROP ; FAIL iptables/option
-Q -j DROP ; FAIL iptables/option
@ ip6tables
-s 2001:db8::1 -j DROP ; OK
-s 2001:db8::/32 -j DROP ; OK
! -d fe80::/10 -j DROP ; OK
-d ::/0 -j DROP ; OK
-s 2001:db8::5/ffff:ffff:: -j DROP ; OK
-p tcp --dport 80 -j DROP ; OK
-p ipv6-icmp -j DROP ; OK
-p icmpv6 -j DROP ; OK
! -p udp -j DROP ; OK
-s 192.0.2.1 -j DROP ; FAIL rules/address
-s 2001:db8::/129 -j DROP ; FAIL rules/prefix
-f -j DROP ; FAIL iptables/option
-p icmpv6 --icmpv6-type 128 -j DROP ; UNSUPPORTED
