#!/bin/bash
# Records the captures of this folder from real programs that talk in network namespaces of their own: nothing here
# touches the network of the machine, and everything (namespaces, servers, mounts, keys) is gone when the script ends,
# since the kernel ends it with the PID namespace it runs in. Takes a quarter of a minute.
#
# Usage:  sudo samples/record.sh [FOLDER]       the captures go to FOLDER, by default the folder of this script
# Needs:  Linux with veth, tun and bridge, root, and the Debian packages
#         iproute2 ethtool util-linux procps python3 tcpdump wireshark-common tshark nginx curl openssl dnsmasq-base
#         bind9-dnsutils iputils-ping iputils-arping openssh-server openssh-client iperf3 socat
#
# The link, with checksum and segmentation offload off, so that the capture holds what a wire would:
#
#   client c0  02:00:00:00:00:01 ------------------------------- s0  02:00:00:00:00:02  server
#              10.0.0.1/24  2001:db8::1/64                           10.0.0.2/24  2001:db8::2/64
#              192.168.7.20/32  2001:db8:7::20/128                   (a route back to both)
#   VLAN 5, 802.1Q   c05 10.5.0.1/24  2001:db8:5::1/64               s05 10.5.0.2/24  2001:db8:5::2/64
#   VLAN 100, 802.1ad, in it 200  c20   10.200.0.1/24                s20   10.200.0.2/24
#   a tunnel of IP in UDP port 4000  t0  10.9.0.1/24                 t0  10.9.0.2/24

set -euo pipefail

if [[ "${NETSIEVE_RECORD:-}" != inside ]]; then
  out=$(realpath "${1:-$(dirname "$0")}")
  exec env NETSIEVE_RECORD=inside unshare --net --mount --pid --fork --kill-child --mount-proc \
    bash "$(realpath "$0")" "$out"
fi

out=$1
here=$(dirname "$(realpath "$0")")
mount -t tmpfs tmpfs /run                        # private: `ip netns` and sshd keep their files here
mkdir -p /run/work /run/sshd
cd /run/work
exec 3>&1 >/run/work/log 2>&1
trap 'status=$?; ((status)) && { echo "record.sh: failed, its log:"; tail -40 /run/work/log; } >&3' EXIT

client() { ip netns exec client "$@"; }
server() { ip netns exec server "$@"; }
say() { echo "$*" >&3; }
# Runs a client program whose failure is part of the talk (a closed port, a reset, a time-out).
may_fail() { client timeout 5 "$@" || true; }
# Waits until a TCP or UDP port is open on the server.
await() { for _ in $(seq 100); do server ss -Hlntu | grep -q ":$1 " && return; sleep 0.05; done; return 1; }

# ---- the link -------------------------------------------------------------------------------------------------------
ip netns add client
ip netns add server
ip link add c0 address 02:00:00:00:00:01 netns client type veth peer name s0 address 02:00:00:00:00:02 netns server
addresses() { # namespace, interface, last number
  ip -n "$1" link set lo up
  ip -n "$1" link set "$2" up
  ip -n "$1" addr add "10.0.0.$3/24" brd + dev "$2"
  ip -n "$1" addr add "2001:db8::$3/64" dev "$2" nodad
  ip netns exec "$1" ethtool -K "$2" tx off rx off sg off tso off gso off gro off txvlan off rxvlan off
}
addresses client c0 1
addresses server s0 2
ip -n client addr add 192.168.7.20/32 dev c0
ip -n client addr add 2001:db8:7::20/128 dev c0 nodad
ip -n server route add 192.168.7.0/24 via 10.0.0.1
ip -n server route add 2001:db8:7::/64 via 2001:db8::1
server sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0
trunk() { # namespace, link, TAP device, last number, tags
  local device=$3
  ip netns exec "$1" /usr/bin/python3 "$here/trunk.py" "$2" "$device" "${@:5}" &
  for _ in $(seq 100); do ip -n "$1" link show "$device" >/dev/null && break; sleep 0.05; done
  ip -n "$1" link set "$device" address "02:00:00:00:${device#?}:0$4" mtu 1492 up
}
for side in 'client c 1' 'server s 2'; do
  read -r ns letter last <<<"$side"
  trunk "$ns" "${letter}0" "${letter}05" "$last" 8100:5
  trunk "$ns" "${letter}0" "${letter}20" "$last" 88a8:100 8100:200
  ip -n "$ns" addr add "10.5.0.$last/24" brd + dev "${letter}05"
  ip -n "$ns" addr add "2001:db8:5::$last/64" dev "${letter}05" nodad
  ip -n "$ns" addr add "10.200.0.$last/24" brd + dev "${letter}20"
done
server socat TUN:10.9.0.2/24,tun-name=t0,iff-up UDP4-DATAGRAM:10.0.0.1:4000,bind=:4000 &
client socat TUN:10.9.0.1/24,tun-name=t0,iff-up UDP4-DATAGRAM:10.0.0.2:4000,bind=:4000 &

# ---- the servers ----------------------------------------------------------------------------------------------------
mkdir www
printf '<!doctype html><title>netsieve</title><p>A small page.</p>\n' >www/index.html
for i in $(seq 400); do echo "line $i of a longer page, as plain text"; done >www/long.txt
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=www.example -keyout key.pem -out cert.pem
cat >nginx.conf <<'CONF'
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server {
    listen 80; listen [::]:80; listen 8080; listen [::]:8080;
    listen 443 ssl; listen [::]:443 ssl;
    ssl_certificate /run/work/cert.pem; ssl_certificate_key /run/work/key.pem;
    root /run/work/www;
    location /post { return 204; }
    location /moved { return 301 /; }
  }
}
CONF
chmod 755 /run/work
server nginx -p /run/work -c nginx.conf &
txt=$(printf 'a text record of some length. %.0s' {1..8})
server dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null --pid-file= --user=root \
  --host-record=www.example,10.0.0.2,2001:db8::2 --host-record=client.example,10.0.0.1 \
  --mx-host=example,www.example,10 --cname=alias.example,www.example --srv-host=_http._tcp.example,www.example,80 \
  --txt-record=long.example,"$txt" --txt-record=long.example,"1 $txt" --txt-record=long.example,"2 $txt" \
  --txt-record=long.example,"3 $txt" --txt-record=long.example,"4 $txt" --local=/example/ &
ssh-keygen -q -t ed25519 -N '' -f host_key
ssh-keygen -q -t ed25519 -N '' -f user_key
cat >sshd_config <<'CONF'
HostKey /run/work/host_key
AuthorizedKeysFile /run/work/user_key.pub
PermitRootLogin yes
StrictModes no
UsePAM no
CONF
server /usr/sbin/sshd -D -e -f sshd_config &
server iperf3 -s &
server socat -u UDP6-RECV:9999,ipv6only=0 /dev/null &
server socat TCP6-LISTEN:7,ipv6only=0,fork,reuseaddr EXEC:cat &
for port in 80 443 8080 53 22 5201 9999 7; do await $port; done

# ---- the recorders --------------------------------------------------------------------------------------------------
record() { # name of the log, then the command
  local log=$1
  shift
  (exec ip netns exec server "$@" 2>"$log") &
  recorders+=($!)
  for _ in $(seq 100); do grep -Eq 'istening|Capturing' "$log" && return; sleep 0.05; done
  return 1
}
recorders=()
record talk.log tcpdump -i s0 -U --immediate-mode -s 0 -w talk.pcap
record raw.log tcpdump -i t0 -U --immediate-mode -w raw.pcap
record any.log tcpdump -i any -y LINUX_SLL2 -U --immediate-mode --time-stamp-precision=nano -c 40 -w any.pcap \
  'icmp or icmp6 or arp or port 53'
# dumpcap opens both interfaces in one file; it runs as root, and needs no more than the two.
record vlan.log dumpcap -q -i s05 -i s0 -f vlan -w vlan.pcapng
sleep 0.5

# ---- the talk -------------------------------------------------------------------------------------------------------
say 'ping, ARP, neighbour discovery'
client arping -q -c 2 -I c0 10.0.0.2
may_fail arping -q -c 1 -w 1 -I c0 10.0.0.99
client ping -q -c 5 -i 0.05 10.0.0.2
client ping -q -c 3 -i 0.05 -I 192.168.7.20 10.0.0.2
client ping -q -c 2 -i 0.05 -Q 0xb8 -s 300 10.0.0.2
client ping -q -c 2 -i 0.05 -R 10.0.0.2                       # record route: an IPv4 header with options
client ping -q -c 2 -i 0.05 -T tsonly 10.0.0.2
client ping -q -c 2 -i 0.05 -t 1 10.0.0.2
may_fail ping -q -c 2 -i 0.2 -w 1 -b 10.0.0.255
client ping -q -c 5 -i 0.05 2001:db8::2
client ping -q -c 3 -i 0.05 -I 2001:db8:7::20 2001:db8::2
client ping -q -c 2 -i 0.05 -I c0 ff02::1
ip -n client neigh flush all
server ping -q -c 3 -i 0.05 10.0.0.1
server ping -q -c 3 -i 0.05 2001:db8::1

say 'HTTP'
get() { client curl -sS -m 5 -o /dev/null -k "$@"; }
for host in 10.0.0.2 '[2001:db8::2]'; do
  get "http://$host/"
  get "http://$host/" "http://$host/long.txt" "http://$host/missing"
  get -I "http://$host/"
  get -d 'name=value&other=1' "http://$host/post"
  get -L "http://$host/moved"
  get "http://$host:8080/"
done
get --interface 192.168.7.20 http://10.0.0.2/
get --interface 2001:db8:7::20 'http://[2001:db8::2]/'
client sysctl -qw net.ipv4.tcp_ecn=1
get http://10.0.0.2/long.txt                                  # SYN with ECE and CWR
client sysctl -qw net.ipv4.tcp_ecn=0

say 'TLS'
get https://10.0.0.2/ https://10.0.0.2/long.txt
get --tls-max 1.2 https://10.0.0.2/
get 'https://[2001:db8::2]/'

say 'DNS'
lookup() { client dig +tries=1 +timeout=2 "$@"; }
for at in 10.0.0.2 2001:db8::2; do
  lookup "@$at" www.example A
  lookup "@$at" www.example AAAA
  lookup "@$at" alias.example A
  lookup "@$at" example MX
  lookup "@$at" _http._tcp.example SRV
  lookup "@$at" nowhere.example A
  lookup "@$at" -x 10.0.0.1
  lookup "@$at" +tcp www.example A
  lookup "@$at" +noedns long.example TXT                      # too long for UDP: truncated, asked again over TCP
  lookup "@$at" +bufsize=4096 long.example TXT
done
lookup @10.0.0.2 -b 192.168.7.20 www.example A

say 'SSH, iperf3'
remote() { client ssh -F none -q -i user_key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$1" "$2"; }
remote 10.0.0.2 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done'
remote 2001:db8::2 'seq 2000'
client iperf3 -c 10.0.0.2 -n 150K -l 8K -M 1000
client iperf3 -c 2001:db8::2 -R -n 60K -l 8K
client iperf3 -c 10.0.0.2 -u -l 120 -b 200K -n 12K
client iperf3 -c 2001:db8::2 -u -l 120 -b 200K -n 6K

say 'fragments'
head -c 5000 /dev/urandom >datagram
client socat -u -b 9000 OPEN:datagram UDP4-SENDTO:10.0.0.2:9999,sourceport=9000
client socat -u -b 9000 OPEN:datagram 'UDP6-SENDTO:[2001:db8::2]:9999,sourceport=9000'
client ping -q -c 2 -i 0.05 -s 3000 10.0.0.2
client ping -q -c 2 -i 0.05 -s 3000 2001:db8::2

say 'resets and refusals'
for host in 10.0.0.2 '[2001:db8::2]'; do
  may_fail curl -sS -m 2 "http://$host:81/"                   # closed: SYN, RST
  for _ in 1 2 3; do                                          # closed with data unread: the kernel sends a reset
    (echo hello; sleep 0.1) | may_fail socat -u - "TCP:$host:7"
  done
done
for host in UDP4-SENDTO:10.0.0.2:9998 'UDP6-SENDTO:[2001:db8::2]:9998'; do
  echo nobody | may_fail socat -u - "$host"                   # ICMP: port unreachable
done

say 'VLAN'
client ping -q -c 4 -i 0.05 10.5.0.2
client ping -q -c 4 -i 0.05 2001:db8:5::2
client ping -q -c 2 -i 0.05 -Q 0xa0 10.5.0.2                   # priority 5 in the tag
get http://10.5.0.2/ http://10.5.0.2/long.txt
get 'http://[2001:db8:5::2]/'
lookup @10.5.0.2 www.example A
lookup @2001:db8:5::2 www.example AAAA
client socat -u -b 9000 OPEN:datagram UDP4-SENDTO:10.5.0.2:9999,sourceport=9000
client ping -q -c 3 -i 0.05 10.200.0.2
get http://10.200.0.2/

say 'a tunnel'
client ping -q -c 4 -i 0.05 10.9.0.2
get http://10.9.0.2/

say 'multicast'
(exec ip netns exec server socat -u UDP4-RECV:5000,ip-add-membership=239.1.2.3:s0 /dev/null) &
four=$!
(exec ip netns exec server socat -u 'UDP6-RECV:5001,ipv6-join-group=[ff15::123]:s0' /dev/null) &
six=$!
sleep 1
for i in 1 2 3 4 5; do
  echo "to the group $i" | client socat -u - UDP4-DATAGRAM:239.1.2.3:5000,ip-multicast-if=10.0.0.1,ip-multicast-ttl=4
  echo "to the group $i" | client socat -u - 'UDP6-DATAGRAM:[ff15::123]:5001,so-bindtodevice=c0'
done
kill $four $six
sleep 1

say 'spanning tree'                                           # frames with a length instead of an EtherType
ip -n client link add br0 type bridge stp_state 1 hello_time 100
ip -n client link set br0 up
ip -n client link set c0 master br0
sleep 3

# ---- the files ------------------------------------------------------------------------------------------------------
kill -TERM "${recorders[@]}" || true
for recorder in "${recorders[@]}"; do wait "$recorder" || true; done

pick() { tcpdump -r talk.pcap -w "$1" "$2"; }
pick http.pcap 'tcp port 80 and net 10.0.0.0/24'
pick fragments.pcap 'ip[6:2] & 0x3fff != 0 or ip6[6] == 44'
tcpdump -r talk.pcap --time-stamp-precision=nano -w resets.pcap \
  'tcp port 7 or tcp port 81 or (icmp and icmp[0] == 3) or (icmp6 and ip6[40] == 1)'
pick dns.pcap 'port 53 and not vlan'
tshark -r dns.pcap -F pcapng -w dns.pcapng
for file in talk.pcap http.pcap fragments.pcap resets.pcap dns.pcapng vlan.pcapng any.pcap raw.pcap; do
  install -m 644 "$file" "$out/$file"
  say "$(stat -c %s "$file") bytes $(capinfos -Mrc "$file" | tail -1)"
done
