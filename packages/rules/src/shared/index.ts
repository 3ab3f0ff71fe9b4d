export { CERTAIN_TYPES, type CertainType } from './address-types.ts'
export { drawnAnew } from './draws.ts'
export { chooseHook, chooseProfile, HOOKS, type Hook, type HookUse, hookPath, isHook } from './hooks.ts'
export { commandLines, type Line, matchLine, nodeWord } from './lines.ts'
export { etherType, nearest, protocolName, protocolNumber, serviceName, servicePort } from './names.ts'
export {
  type Address,
  addressBits,
  filledUp,
  type IpFamily,
  type MaskForm,
  type Network,
  type NumberRules,
  networkPrefix,
  parseNumber,
  part,
  readAddress,
  readEtherType,
  readIpProtocol,
  readMac,
  readNetwork,
  readNumber,
  readPort,
  readPortRange,
  split,
  splitAll,
  type Word,
} from './read.ts'
export { warnUnused } from './unused.ts'
