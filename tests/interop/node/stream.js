// RabbitMQ's stream client for Node.js: publishers with and without a name, batches, filters, offsets. Prints what it saw.
const rabbit = require("rabbitmq-stream-js-client")
const { CompressionType } = require("rabbitmq-stream-js-client/dist/compression")

const [port, stream] = [Number(process.argv[2]), process.argv[3]]
const COUNT = 200

async function read(client, offset, count, options = {}) {
  const found = []
  const consumer = await new Promise((resolve, reject) => {
    let made
    const done = () => made && found.length >= count && resolve(made)
    client
      .declareConsumer({ stream, offset, ...options }, (message) => {
        found.push([Number(message.offset), message.content.toString()])
        done()
      })
      .then((it) => {
        made = it
        done()
      }, reject)
  })
  return [found, consumer]
}

async function main() {
  const seen = {}
  const login = { hostname: "127.0.0.1", port, username: "guest", password: "guest", vhost: "/", heartbeat: 0 }
  const client = await rabbit.connect(login)
  seen.created = await client.createStream({ stream, arguments: { "max-length-bytes": 1000000 } })
  seen.again = await client.createStream({ stream, arguments: { "max-length-bytes": 1000000 } })

  const publisher = await client.declarePublisher({ stream, publisherRef: "me" })
  let confirmed = 0
  const all = new Promise((resolve) => {
    publisher.on("publish_confirm", (error, ids) => {
      confirmed += ids.length
      if (confirmed >= COUNT) resolve()
    })
  })
  for (let n = 0; n < COUNT; n++) await publisher.send(Buffer.from(`message ${n}`))
  await publisher.flush()
  await all
  seen.confirmed = confirmed
  seen.sequence = String(await publisher.getLastPublishingId())

  const [first, consumer] = await read(client, rabbit.Offset.first(), COUNT, { consumerRef: "reader" })
  seen.first = first.map(([, text]) => text)
  seen.offsets = first.map(([offset]) => offset)
  await consumer.storeOffset(42n)
  seen.offset = String(await consumer.queryOffset())
  await client.closeConsumer(consumer.extendedId)

  const [late, second] = await read(client, rabbit.Offset.offset(150n), 50)
  seen.late = late[0]
  await client.closeConsumer(second.extendedId)

  // Batches have the id of the last message, so a publisher with a name would be sending a duplicate.
  const nameless = await client.declarePublisher({ stream })
  await nameless.sendSubEntries([0, 1, 2].map((n) => ({ content: Buffer.from(`packed ${n}`) })), CompressionType.Gzip)
  // The client doesn't know the offsets of what is in a batch.
  const [packed, third] = await read(client, rabbit.Offset.first(), COUNT + 3)
  seen.packed = packed.slice(COUNT)

  seen.leader = (await client.queryMetadata({ streams: [stream] }))[0].leader.port
  const stats = await client.streamStatsRequest(stream)
  seen.stats = [stats.firstChunkId, stats.committedChunkId].map(String)
  // A client that has somebody at a stream that is deleted closes their connections itself, and waits for ever when it
  // is closed meanwhile.
  await client.closeConsumer(third.extendedId)
  for (const each of [publisher, nameless]) await client.deletePublisher(each.extendedId)
  seen.deleted = await client.deleteStream({ stream })
  seen.missing = await client.declarePublisher({ stream }).catch((e) => e.message)
  await client.close()
  console.log(JSON.stringify(seen))
  process.exit(0)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
