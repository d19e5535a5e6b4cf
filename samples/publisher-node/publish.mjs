// Publishes one MessagePosted as plain JSON: node publish.mjs AMQP_URL USER TITLE
import { randomUUID } from "node:crypto";
import amqplib from "amqplib";

const [url, user, title] = process.argv.slice(2);
const connection = await amqplib.connect(url);
const channel = await connection.createConfirmChannel();

// No Notify has run against this broker yet: there is no exchange to take the message, or no queue, and then it comes back.
function nobody() {
  console.error("No queue takes the message: start Notify on this broker first.");
  process.exit(1);
}

channel.on("return", nobody);
channel.on("error", (error) => (error.code === 404 ? nobody() : console.error(error.message)));
const message = { messageId: randomUUID(), conversationId: "greetings", recipientIds: [user], title };
channel.publish("Notify.Contracts:MessagePosted", "", Buffer.from(JSON.stringify(message)), {
  contentType: "application/json",
  timestamp: Math.floor(Date.now() / 1000), // the push's TTL counts from here
  persistent: true,
  mandatory: true,
});
await channel.waitForConfirms();
await connection.close();
