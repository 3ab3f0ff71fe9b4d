// Sends packets for one address to another: the header is rewritten and its checksums put right, by helpers in tc, by hand in XDP.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __be32 from, to;

SEC("tc")
int rewrite(struct __sk_buff *skb) {
  void *end = (void *)(long)skb->data_end;
  struct ethhdr *eth = (void *)(long)skb->data;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5) return TC_ACT_OK;
  __be32 old = ip->daddr, new = to;
  if (old != from) return TC_ACT_OK;
  __u32 l4 = ETH_HLEN + sizeof(*ip);
  __u8 protocol = ip->protocol;
  if (protocol == IPPROTO_TCP)
    bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check), old, new, BPF_F_PSEUDO_HDR | 4);
  else if (protocol == IPPROTO_UDP)
    bpf_l4_csum_replace(skb, l4 + offsetof(struct udphdr, check), old, new, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | 4);
  bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), old, new, 4);
  bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, daddr), &new, 4, 0);
  return TC_ACT_OK;
}

static __u16 fold(__u64 sum) {
#pragma clang loop unroll(disable)
  for (int i = 0; i < 4; i++)
    if (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

SEC("xdp")
int rewrite_xdp(struct xdp_md *ctx) {
  void *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = (void *)(long)ctx->data;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5) return XDP_PASS;
  if (ip->daddr != from) return XDP_PASS;
  ip->daddr = to;
  ip->check = 0;
  ip->check = fold(bpf_csum_diff(0, 0, (void *)ip, sizeof(*ip), 0));
  return XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
