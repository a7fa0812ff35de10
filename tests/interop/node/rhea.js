// AMQP 1.0 by rhea: what it sends and gets, its outcomes, and errors of links; prints JSON.
"use strict";

const rhea = require("rhea");

const url = new URL(process.argv[2]);
const queue = process.argv[3];
const container = rhea.create_container();
const result = { bodies: [], outcomes: [], missing: null, redelivered: [], properties: null };
const MESSAGES = 20;
let sent = 0;
let firstSeen = false;

const connection = container.connect({
  host: url.hostname,
  port: Number(url.port),
  username: url.username,
  password: url.password,
  reconnect: false,
});

container.on("connection_open", () => {
  connection.open_receiver({ source: `/queue/${queue}`, credit_window: 1, autoaccept: false });
  connection.open_sender(`/queues/${queue}`);
  const missing = connection.open_sender("/queues/interop-rhea-missing");
  missing.on("sender_error", (context) => {
    result.missing = context.sender.error.condition;
  });
});

container.on("sendable", (context) => {
  while (context.sender.sendable() && sent < MESSAGES && context.sender.target.address === `/queues/${queue}`) {
    const number = sent++;
    context.sender.send({
      message_id: `id-${number}`,
      subject: "subject",
      durable: true,
      body: number % 2 ? `text ${number}` : { number },
      application_properties: { number, flag: true, nothing: null },
      message_annotations: { "x-opt-own": "kept" },
    });
  }
});

container.on("accepted", () => result.outcomes.push("accepted"));

container.on("message", (context) => {
  const message = context.message;
  if (!firstSeen) {
    firstSeen = true;
    result.properties = { ...message.application_properties, annotation: message.message_annotations["x-opt-own"] };
    context.delivery.release();
    return;
  }
  result.bodies.push(message.body);
  result.redelivered.push(!message.first_acquirer);
  context.delivery.accept();
  finish();
});

container.on("settled", finish);

function finish() {
  if (result.bodies.length === MESSAGES && result.outcomes.length === MESSAGES && result.missing !== null) {
    connection.close();
  }
}

container.on("connection_close", () => {
  console.log(JSON.stringify(result));
  process.exit(0);
});
