// A message without what differs from program to program: numbers, names of functions, known bits.

export function templateOf(message: string): string {
  return message
    .replace(/\(0x[0-9a-f]+; 0x[0-9a-f]+\)/g, 'N')
    .replace(/0x[0-9a-f]+/g, 'N')
    .replace(/opcode [0-9a-f]{2}$/, 'opcode N')
    .replace(/-?\d+/g, 'N')
}
