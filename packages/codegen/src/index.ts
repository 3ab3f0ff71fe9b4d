export { type Generated, type GenerateOptions, generate } from './generate.ts'
