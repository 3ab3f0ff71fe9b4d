// A CO-RE relocation: an access to a kernel type whose layout the loader is to look up.
#include "bpf.h"

struct task {
  int pid;
} __attribute__((preserve_access_index));

SEC("xdp")
int pid_of(void *ctx) {
  struct task *task = ctx;
  return task->pid;
}

char _license[] SEC("license") = "GPL";
