/** What the page can speak: how each protocol is called here, its client, and how its frames are described. */

import { packetEntry } from './mqtt_describe.js';
import { MqttClient } from './mqtt.js';
import { frameEntry } from './stomp_describe.js';
import { StompClient } from './stomp.js';

const MQTT = {
  family: 'mqtt',
  entry: packetEntry,
  modes: ['0', '1', '2'],
  intervalLabel: 'Keep-alive, s',
  intervalS: 60,
  example: 'news/#',
  publishExample: 'news/today',
};

export const PROTOCOLS = {
  stomp: {
    family: 'stomp',
    make: (options, events) => new StompClient(options, events),
    entry: frameEntry,
    modes: ['auto', 'client-individual', 'client'],
    intervalLabel: 'Heart-beat, s',
    intervalS: 30,
    example: '/topic/news.*',
    publishExample: '/topic/news.today',
  },
  mqtt5: { ...MQTT, make: (options, events) => new MqttClient({ ...options, version: 5 }, events) },
  mqtt4: { ...MQTT, make: (options, events) => new MqttClient({ ...options, version: 4 }, events) },
};
