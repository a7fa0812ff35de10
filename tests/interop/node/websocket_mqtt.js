// npm's mqtt over WebSocket, told as one JSON object on standard output.
//
//     node websocket_mqtt.js subscribe|read|write URL VERSION CLIENT_ID TOPIC COUNT
//
// VERSION is MQTT's protocol level, 3, 4 or 5.  `subscribe` leaves a session behind; `read` takes COUNT messages that
// it has got since; `write` publishes COUNT messages with QoS 0, 1 and 2 in turn.

"use strict";

const mqtt = require("mqtt");

const [task, url, version, clientId, topic, count] = process.argv.slice(2);
const wanted = Number(count);
const level = Number(version);
const result = { bodies: [] };

const client = mqtt.connect(url, {
  protocolVersion: level,
  protocolId: level === 3 ? "MQIsdp" : "MQTT",
  clientId,
  clean: task === "write",
  username: "guest",
  password: "guest",
  reconnectPeriod: 0,
  wsOptions: { protocol: level === 3 ? "mqttv3.1" : "mqtt" },
  properties: level === 5 ? { sessionExpiryInterval: 600 } : undefined,
});

function finish() {
  client.end(false, {}, () => console.log(JSON.stringify(result)));
}

async function write() {
  for (let number = 0; number < wanted; number += 1) {
    await client.publishAsync(topic, `gr\u00fc\u00dfe ${number}`, { qos: number % 3 });
  }
  finish();
}

client.on("connect", async (answer) => {
  result.session_present = answer.sessionPresent;
  if (task === "subscribe") {
    result.granted = (await client.subscribeAsync(topic, { qos: 1 })).map((each) => each.qos);
    finish();
  } else if (task === "write") await write();
});
client.on("message", (name, payload) => {
  const body = payload.toString();
  result.topic = name;
  result.bodies.push(body.length > 100 ? body.length : body);
  if (result.bodies.length === wanted) finish();
});
client.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
  client.end(true);
});
