// Counts TCP segments by port: Ethernet, VLAN tags, IPv4 with options, IPv6 with extension headers, TCP options; loops are bounded.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u64);
} ports SEC(".maps");

struct vlan {
  __be16 tci;
  __be16 proto;
};

struct extension {
  __u8 next;
  __u8 length;
};

SEC("xdp")
int count_ports(struct xdp_md *ctx) {
  void *end = (void *)(long)ctx->data_end;
  void *at = (void *)(long)ctx->data;
  struct ethhdr *eth = at;
  if ((void *)(eth + 1) > end) return XDP_PASS;
  __be16 proto = eth->h_proto;
  at = eth + 1;
#pragma clang loop unroll(disable)
  for (int i = 0; i < 2; i++) {
    if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD)) break;
    struct vlan *tag = at;
    if ((void *)(tag + 1) > end) return XDP_PASS;
    proto = tag->proto;
    at = tag + 1;
  }
  __u8 next;
  if (proto == bpf_htons(ETH_P_IP)) {
    struct iphdr *ip = at;
    if ((void *)(ip + 1) > end || ip->ihl < 5) return XDP_PASS;
    next = ip->protocol;
    at += ip->ihl * 4;
  } else if (proto == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr *ip = at;
    if ((void *)(ip + 1) > end) return XDP_PASS;
    next = ip->nexthdr;
    at = ip + 1;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 4; i++) {
      if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS) break;
      struct extension *extension = at;
      if ((void *)(extension + 1) > end) return XDP_PASS;
      next = extension->next;
      at += (extension->length + 1) * 8;
    }
  } else
    return XDP_PASS;
  if (next != IPPROTO_TCP) return XDP_PASS;
  struct tcphdr *tcp = at;
  if ((void *)(tcp + 1) > end) return XDP_PASS;
  __u8 *option = (void *)(tcp + 1);
  int left = tcp->doff * 4 - 20;
  __u32 scale = 0;
#pragma clang loop unroll(disable)
  for (int i = 0; i < 4; i++) {
    if (left < 2 || (void *)(option + 3) > end) break;
    if (option[0] == 0) break;
    if (option[0] == 1) {
      option++;
      left--;
      continue;
    }
    if (option[0] == 3) scale = option[2];
    __u8 length = option[1];
    if (length < 2) break;
    option += length;
    left -= length;
  }
  __u32 key = bpf_ntohs(tcp->dest) | scale << 16;
  __u64 one = 1, *count = bpf_map_lookup_elem(&ports, &key);
  if (count)
    __sync_fetch_and_add(count, 1);
  else
    bpf_map_update_elem(&ports, &key, &one, BPF_ANY);
  return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
