// AMQP 1.0 by rhea: a link that is lost with its connection, and resumed by another one; prints JSON.
"use strict";

const rhea = require("rhea");

const url = new URL(process.argv[2]);
const queue = process.argv[3];
const container = rhea.create_container({ id: "resuming" });
const result = { bodies: [], resumed: [], policy: null, unsettled: 0 };
const tags = [];

// Its maps have texts as keys; delivery tags are bytes.
const wrapMap = rhea.types.wrap_map;
rhea.types.wrap_map = (map, ...more) => (map instanceof Map ? rhea.types.wrap_map_as_map(map) : wrapMap(map, ...more));

function connect() {
  return container.connect({
    host: url.hostname,
    port: Number(url.port),
    username: url.username,
    password: url.password,
    reconnect: false,
  });
}

function attach(connection, unsettled) {
  const receiver = connection.open_receiver({
    name: "link",
    source: { address: `/queues/${queue}`, expiry_policy: "never" },
    credit_window: 0,
    autoaccept: false,
    autosettle: false,
    ...(unsettled ? { unsettled } : {}),
  });
  receiver.add_credit(2);
}

const first = connect();
let sent = false;

container.on("connection_open", (context) => {
  if (context.connection === first) {
    first.open_sender(`/queue/${queue}`);
  } else {
    attach(context.connection, new Map(tags.map((tag) => [tag, null])));
  }
});

container.on("sendable", (context) => {
  if (!sent) {
    sent = true;
    context.sender.send({ body: "one" });
    context.sender.send({ body: "two" });
    attach(first, null);
  }
});

container.on("receiver_open", (context) => {
  const attached = context.receiver.remote.attach;
  result.policy = context.receiver.source.expiry_policy;
  result.unsettled = Object.keys(attached.unsettled || {}).length;
});

container.on("message", (context) => {
  if (context.connection === first) {
    tags.push(context.delivery.tag);
    if (tags.length === 2) {
      first.socket.destroy();
      connect();
    }
    return;
  }
  result.bodies.push(context.message.body);
  result.resumed.push(tags.some((tag) => tag.equals(context.delivery.tag)));
  context.delivery.accept();
  if (result.bodies.length === 2) {
    context.connection.close();
  }
});

container.on("connection_close", () => {
  console.log(JSON.stringify(result));
  process.exit(0);
});
