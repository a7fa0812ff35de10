// @cloudamqp/amqp-client over WebSocket, told as one JSON object on standard output.
//
//     node websocket_amqp.js URL QUEUE_TO_READ COUNT QUEUE_TO_WRITE
//
// Reads COUNT messages from the first queue, and writes as many to the second.

"use strict";

const { AMQPWebSocketClient } = require("@cloudamqp/amqp-client");
const WebSocket = require("ws");

Object.assign(global, { WebSocket });

async function main(url, source, wanted, destination) {
  const client = new AMQPWebSocketClient({ url, vhost: "/", username: "guest", password: "guest" });
  const connection = await client.connect();
  const channel = await connection.channel();
  await channel.confirmSelect();
  const bodies = [];
  await new Promise((resolve) => {
    channel.basicConsume(source, { noAck: false }, (message) => {
      const body = message.bodyString();
      bodies.push(body.length > 100 ? body.length : body);
      message.ack();
      if (bodies.length === wanted) resolve();
    });
  });
  for (let number = 0; number < wanted; number += 1) {
    await channel.basicPublish("", destination, `gr\u00fc\u00dfe ${number}`, { deliveryMode: 2 });
  }
  await connection.close();
  return { bodies };
}

const [url, source, count, destination] = process.argv.slice(2);
main(url, source, Number(count), destination).then(
  (result) => {
    console.log(JSON.stringify(result));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
