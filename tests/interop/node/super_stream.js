// RabbitMQ's stream client for Node.js: super streams, single active consumers, filters, and what is refused or taken
// away. Prints what it saw.
const rabbit = require("rabbitmq-stream-js-client")

const [port, name] = [Number(process.argv[2]), process.argv[3]]
const COUNT = 60
const PARTITIONS = 3
const LOGIN = { hostname: "127.0.0.1", port, username: "guest", password: "guest", vhost: "/", heartbeat: 0 }

// Calls back with each message of so many; `done` is when all have come.
function collecting(count) {
  const found = {}
  let left = count
  let finish
  const done = new Promise((resolve) => (finish = resolve))
  const take = (partition, message) => {
    ;(found[partition] ??= []).push(Number(message.content.toString()))
    if (--left === 0) finish()
  }
  return [found, done, take]
}

async function superStreams(seen) {
  const client = await rabbit.connect(LOGIN)
  seen.created = await client.createSuperStream({ streamName: name }, undefined, PARTITIONS)
  seen.partitions = await client.queryPartitions({ superStream: name })
  const keyed = await client.declareSuperStreamPublisher(
    { superStream: name, routingStrategy: "key" },
    (content) => String(Number(content) % PARTITIONS)
  )
  const hashed = await client.declareSuperStreamPublisher({ superStream: name }, (content) => `key ${content}`)
  for (let n = 0; n < COUNT; n++) await keyed.send(Buffer.from(String(n)), {})
  for (let n = COUNT; n < 2 * COUNT; n++) await hashed.send(Buffer.from(String(n)), {})
  await keyed.close()
  await hashed.close()

  // A consumer is given the partition that a message is from.
  const readers = []
  const read = async () => {
    const own = await rabbit.connect(LOGIN)
    const [found, done, take] = collecting(2 * COUNT)
    const consumer = await own.declareSuperStreamConsumer(
      { superStream: name, consumerRef: "group", offset: rabbit.Offset.first() },
      (message, from) => take(from.streamName, message)
    )
    readers.push([own, consumer])
    return [found, done]
  }
  const [first, firstDone] = await read()
  await firstDone
  const [second, secondDone] = await read()
  // The first one leaves, and the other goes on with all partitions; it asks for their first offset.
  await readers[0][1].close()
  await secondDone
  seen.first = first
  seen.second = second
  await readers[1][1].close()
  for (const [own] of readers) await own.close()
  seen.deleted = await client.deleteSuperStream({ streamName: name })
  await client.close()
}

async function singleActive(seen) {
  const stream = `${name}-single`
  const client = await rabbit.connect(LOGIN)
  await client.createStream({ stream })
  const publisher = await client.declarePublisher({ stream })
  for (let n = 0; n < COUNT; n++) await publisher.send(Buffer.from(String(n)))
  await publisher.flush()
  const asked = []
  const consume = async (offset, count) => {
    const [found, done, take] = collecting(count)
    const consumer = await client.declareConsumer(
      {
        stream,
        consumerRef: "turns",
        singleActive: true,
        offset: rabbit.Offset.first(),
        consumerUpdateListener: async (reference, of) => {
          asked.push([reference, of === stream])
          return rabbit.Offset.offset(offset)
        },
      },
      (message) => take("all", message)
    )
    return [consumer, found, done]
  }
  const [one, first, firstDone] = await consume(0n, COUNT)
  await firstDone
  // The next one isn't asked before its turn comes, and says then where it goes on.
  const [two, second, secondDone] = await consume(40n, COUNT - 40)
  seen.askedBefore = asked.length
  await client.closeConsumer(one.extendedId)
  await secondDone
  // Clients leave out what a chunk has before the offset; this one doesn't.
  seen.turns = [first.all, second.all.slice(-(COUNT - 40))]
  seen.asked = asked
  await client.closeConsumer(two.extendedId)
  await client.deletePublisher(publisher.extendedId)
  await client.deleteStream({ stream })
  await client.close()
}

async function filtersAndRefusals(seen) {
  const stream = `${name}-filtered`
  const client = await rabbit.connect(LOGIN)
  await client.createStream({ stream })
  const valued = await client.declarePublisher({ stream }, (message) => message.applicationProperties.region)
  for (const region of ["north", "south"]) {
    await valued.send(Buffer.from(region), { applicationProperties: { region } })
    await valued.flush()
  }
  const regions = []
  await new Promise((resolve, reject) => {
    const wanted = (message) => message.applicationProperties.region === "south"
    const filter = { values: ["south"], matchUnfiltered: false, postFilterFunc: wanted }
    client
      .declareConsumer({ stream, offset: rabbit.Offset.first(), filter }, (message) => {
        regions.push(message.content.toString())
        resolve()
      })
      .catch(reject)
  })
  seen.filtered = regions

  const publisher = await client.declarePublisher({ stream })
  // The client takes PublishError apart wrongly: that there is an error is all that it says.
  seen.refused = await new Promise((resolve) => {
    publisher.on("publish_confirm", (error) => resolve(error !== null))
    publisher.send(Buffer.alloc(5000)).then(() => publisher.flush())
  })
  // Somebody else deletes the stream.
  const told = new Promise((resolve) => publisher.on("metadata_update", (update) => resolve(update.metadataInfo.stream)))
  const other = await rabbit.connect(LOGIN)
  await other.deleteStream({ stream })
  seen.gone = (await told) === stream
  await other.close()
  // Closing `client` now would wait for ever: it closes connections by itself meanwhile.
}

async function main() {
  const seen = {}
  await superStreams(seen)
  await singleActive(seen)
  await filtersAndRefusals(seen)
  console.log(JSON.stringify(seen))
  process.exit(0)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
