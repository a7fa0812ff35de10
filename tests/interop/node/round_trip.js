// What a program written with amqplib does with a broker, told as one JSON object on standard output.
//
//     node round_trip.js URL NAME
//
// NAME is free to use for a queue and an exchange, which are deleted again. The test that runs this says what the
// values must be.

"use strict";

const amqplib = require("amqplib");

const MESSAGES = 200;

const HEADERS = {
  text: "h\u00e9llo",
  whole: 42,
  negative: -7,
  large: 5000000000,
  fraction: 0.5,
  yes: true,
  nothing: null,
  list: [1, "two", false],
  nested: { inner: { deep: "value" } },
};

async function publishAll(connection, exchange) {
  const channel = await connection.createConfirmChannel();
  for (let number = 0; number < MESSAGES; number += 1) {
    const options = { persistent: true, headers: HEADERS, contentType: "text/plain", timestamp: 1700000000 + number };
    channel.publish(exchange, "a.b.c", Buffer.from(`message ${number}`), options);
  }
  await channel.waitForConfirms();
  await channel.close();
}

async function consumeAll(connection, queue) {
  const channel = await connection.createChannel();
  await channel.prefetch(10);
  const messages = [];
  await new Promise((resolve) => {
    channel.consume(queue, (message) => {
      messages.push(message);
      channel.ack(message);
      if (messages.length === MESSAGES) resolve();
    });
  });
  await channel.close();
  return messages;
}

async function unroutable(connection, exchange) {
  const channel = await connection.createConfirmChannel();
  const returned = new Promise((resolve) => channel.once("return", resolve));
  channel.publish(exchange, "nobody", Buffer.from("lost"), { mandatory: true });
  await channel.waitForConfirms();
  const message = await returned;
  await channel.close();
  return [message.fields.replyCode, message.fields.replyText, message.content.toString()];
}

async function missingQueue(connection, name) {
  const channel = await connection.createChannel();
  const closed = new Promise((resolve) => channel.once("error", resolve));
  channel.checkQueue(name).catch(() => {});
  const error = await closed;
  return [error.code, error.message];
}

async function rejected(connection, queue) {
  const channel = await connection.createChannel();
  channel.sendToQueue(queue, Buffer.from("again"));
  const take = async () => {
    let message = false;
    while (!message) message = await channel.get(queue);
    return message;
  };
  const first = await take();
  channel.nack(first);
  const second = await take();
  channel.reject(second, false);
  const left = (await channel.checkQueue(queue)).messageCount;
  await channel.close();
  return [first.fields.redelivered, second.fields.redelivered, left];
}

async function main(url, name) {
  const connection = await amqplib.connect(url);
  const channel = await connection.createChannel();
  await channel.assertExchange(name, "topic", { durable: false, autoDelete: true });
  await channel.assertQueue(name, { durable: true, arguments: { "x-ours": "kept" } });
  await channel.bindQueue(name, name, "a.#");

  await publishAll(connection, name);
  const { messageCount } = await channel.checkQueue(name);
  const messages = await consumeAll(connection, name);
  const last = messages[messages.length - 1];
  const result = {
    product: connection.connection.serverProperties.product,
    waiting: messageCount,
    bodies: messages.map((message) => message.content.toString()),
    headers: last.properties.headers,
    sent_headers: HEADERS,
    timestamp: last.properties.timestamp,
    routing_key: last.fields.routingKey,
    returned: await unroutable(connection, name),
    missing: await missingQueue(connection, `${name}-missing`),
    rejected: await rejected(connection, name),
  };
  await channel.deleteQueue(name);
  await connection.close();
  return result;
}

main(process.argv[2], process.argv[3]).then(
  (result) => console.log(JSON.stringify(result)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
