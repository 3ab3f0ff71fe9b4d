// The few names of the WebAssembly JavaScript interface that are used here: the language's own library types know none of them.

export interface WasmMemory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}
export type WasmFunction = (...values: number[]) => number
export interface WasmInstance {
  readonly exports: Readonly<Record<string, WasmFunction>>
}
interface WasmApi {
  readonly Memory: new (limits: { initial: number; maximum?: number; shared?: boolean }) => WasmMemory
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, object>>>>,
  ) => WasmInstance
}
declare const WebAssembly: WasmApi

export const wasm: WasmApi = WebAssembly
