// Workers as a team would write them around npm web-push, over connections that are kept. "event": an event is taken from a queue, its recipients' subscriptions are read, each
// is pushed to, and the event is acknowledged when all are done; what a crash repeats is the whole event, and nobody can tell later what became of it. "job": Notify's job, as far
// as it goes without retries and order: an event becomes a durable command for each subscription, and each of those a push, an event that tells of it, and a row.
import { createHash } from "node:crypto";
import { Agent } from "node:https";
import amqp from "amqplib";
import pg from "pg";
import webPush from "web-push";

const { AMQP, PG, QUEUE, JOB, PUBLIC_KEY, PRIVATE_KEY } = process.env;
const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
const pool = new pg.Pool({ connectionString: PG, max: 10 });
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
webPush.setVapidDetails("mailto:load@example.com", PUBLIC_KEY, PRIVATE_KEY);

const connection = await amqp.connect(AMQP);
const publisher = await connection.createConfirmChannel();
const send = (exchange, key, message) => new Promise((resolve, reject) =>
  publisher.publish(exchange, key, Buffer.from(JSON.stringify(message)), { persistent: true, contentType: "application/json" }, (error) => (error ? reject(error) : resolve())));

async function commandsOf(event) {
  const recipients = event.recipientIds.filter((id) => id !== event.authorId);
  const { rows } = await pool.query(
    'SELECT "Id", "UserId", "Endpoint", "P256dh", "Auth" FROM "Subscriptions" WHERE "UserId" = ANY($1)', [recipients]);
  const payload = JSON.stringify({
    web_push: 8030,
    notification: { title: event.title, body: event.body, navigate: event.url, tag: event.messageId, timestamp: Date.parse(event.postedAt) },
  });
  const topic = createHash("sha256").update(event.messageId).digest("base64url").slice(0, 32);
  return rows.map((row) => ({ ...row, messageId: event.messageId, payload, topic, ttl: event.ttlSeconds }));
}

async function push(command) {
  try {
    const { statusCode } = await webPush.sendNotification(
      { endpoint: command.Endpoint, keys: { p256dh: command.P256dh, auth: command.Auth } },
      command.payload,
      { TTL: command.ttl, urgency: "normal", topic: command.topic, agent, contentEncoding: "aes128gcm" });
    return statusCode;
  } catch (error) {
    if (error.statusCode === 404 || error.statusCode === 410) {
      await pool.query('DELETE FROM "Subscriptions" WHERE "Id" = $1', [command.Id]);
    } else {
      console.error(error.message);
    }
    return error.statusCode;
  }
}

async function consume(queue, prefetch, handle) {
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, quorum);
  await channel.prefetch(prefetch);
  await channel.consume(queue, async (message) => {
    await handle(JSON.parse(message.content));
    channel.ack(message);
  });
}

if (JOB === "event") {
  await consume(QUEUE, 50, async (event) => Promise.all((await commandsOf(event)).map(push)));
} else {
  await pool.query('CREATE TABLE IF NOT EXISTS node_deliveries (message_id uuid, subscription_id uuid, status int, at timestamptz, PRIMARY KEY (message_id, subscription_id))');
  await publisher.assertExchange("node-accepted", "fanout", { durable: true });
  await publisher.assertQueue("node-commands", quorum);
  await consume("node-commands", 256, async (command) => {
    const status = await push(command);
    await Promise.all([
      send("node-accepted", "", { subscriptionId: command.Id, userId: command.UserId, messageId: command.messageId, status, at: new Date() }),
      pool.query("INSERT INTO node_deliveries VALUES ($1, $2, $3, now()) ON CONFLICT DO NOTHING", [command.messageId, command.Id, status]),
    ]);
  });
  await consume(QUEUE, 50, async (event) => Promise.all((await commandsOf(event)).map((command) => send("", "node-commands", command))));
}
console.log("Notify is ready: open http://localhost/");
process.on("SIGTERM", () => process.exit(0));
