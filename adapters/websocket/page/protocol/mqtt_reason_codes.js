/** The names of MQTT's reason codes (MQTT 5, section 2.4) and of the return codes of 3.1.1 (section 3.2.2.3). */

export const REASONS = {
  0x00: 'Success',
  0x01: 'Granted QoS 1',
  0x02: 'Granted QoS 2',
  0x04: 'Disconnect with Will Message',
  0x10: 'No matching subscribers',
  0x11: 'No subscription existed',
  0x18: 'Continue authentication',
  0x19: 'Re-authenticate',
  0x80: 'Unspecified error',
  0x81: 'Malformed Packet',
  0x82: 'Protocol Error',
  0x83: 'Implementation specific error',
  0x84: 'Unsupported Protocol Version',
  0x85: 'Client Identifier not valid',
  0x86: 'Bad User Name or Password',
  0x87: 'Not authorized',
  0x88: 'Server unavailable',
  0x89: 'Server busy',
  0x8a: 'Banned',
  0x8b: 'Server shutting down',
  0x8c: 'Bad authentication method',
  0x8d: 'Keep Alive timeout',
  0x8e: 'Session taken over',
  0x8f: 'Topic Filter invalid',
  0x90: 'Topic Name invalid',
  0x91: 'Packet Identifier in use',
  0x92: 'Packet Identifier not found',
  0x93: 'Receive Maximum exceeded',
  0x94: 'Topic Alias invalid',
  0x95: 'Packet too large',
  0x96: 'Message rate too high',
  0x97: 'Quota exceeded',
  0x98: 'Administrative action',
  0x99: 'Payload format invalid',
  0x9a: 'Retain not supported',
  0x9b: 'QoS not supported',
  0x9c: 'Use another server',
  0x9d: 'Server moved',
  0x9e: 'Shared Subscriptions not supported',
  0x9f: 'Connection rate exceeded',
  0xa0: 'Maximum connect time',
  0xa1: 'Subscription Identifiers not supported',
  0xa2: 'Wildcard Subscriptions not supported',
};

const RETURN_CODES = [
  'Connection accepted',
  'Unacceptable protocol version',
  'Identifier rejected',
  'Server unavailable',
  'Bad user name or password',
  'Not authorized',
];

function hexadecimal(code) {
  return `0x${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** A reason code with its name, such as “0x87 Not authorized”. */
export function reasonText(code) {
  return `${hexadecimal(code)} ${REASONS[code] ?? 'unknown reason'}`;
}

/** What a SUBACK grants; its first three codes are levels of service. */
export function grantText(code) {
  return code <= 2 ? `QoS ${code}` : reasonText(code);
}

/** A CONNACK's answer in the words of the version that was spoken. */
export function connackText(code, version) {
  return version === 5 ? reasonText(code) : `${code} ${RETURN_CODES[code] ?? 'unknown return code'}`;
}
