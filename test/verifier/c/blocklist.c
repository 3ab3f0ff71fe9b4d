// Drops what comes from listed prefixes, IPv4 and IPv6, looked up in tries of longest prefixes; counts what it drops.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct key4 {
  __u32 bits;
  __u32 address;
};

struct key6 {
  __u32 bits;
  __u8 address[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 4096);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct key4);
  __type(value, __u32);
} list4 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 4096);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct key6);
  __type(value, __u32);
} list6 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} dropped SEC(".maps");

static int drop(__u32 reason) {
  reason &= 15;
  __u64 *count = bpf_map_lookup_elem(&dropped, &reason);
  if (count) (*count)++;
  return TC_ACT_SHOT;
}

SEC("tc")
int blocklist(struct __sk_buff *skb) {
  void *end = (void *)(long)skb->data_end;
  struct ethhdr *eth = (void *)(long)skb->data;
  if ((void *)(eth + 1) > end) return TC_ACT_OK;
  if (eth->h_proto == bpf_htons(ETH_P_IP)) {
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end) return TC_ACT_OK;
    struct key4 key = {.bits = 32, .address = ip->saddr};
    __u32 *reason = bpf_map_lookup_elem(&list4, &key);
    if (reason) return drop(*reason);
  } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end) return TC_ACT_OK;
    struct key6 key = {.bits = 128};
    __builtin_memcpy(key.address, &ip->saddr, 16);
    __u32 *reason = bpf_map_lookup_elem(&list6, &key);
    if (reason) return drop(*reason);
  }
  return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
