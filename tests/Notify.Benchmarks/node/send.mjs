// Sends messages of so many bytes to an origin, so many at a time, for so many seconds, by npm web-push over connections that are kept, and
// prints requests and seconds of processor time.
import { createECDH, randomBytes } from "node:crypto";
import { Agent } from "node:https";
import { createRequire } from "node:module";

const webpush = createRequire(import.meta.url)("web-push");
const [origin, length, inFlight, seconds] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const userAgent = createECDH("prime256v1");
userAgent.generateKeys();
const keys = { p256dh: userAgent.getPublicKey("base64url"), auth: randomBytes(16).toString("base64url") };
const { publicKey, privateKey } = webpush.generateVAPIDKeys();
webpush.setVapidDetails("mailto:push@example.com", publicKey, privateKey);
const content = randomBytes(length);
const agent = new Agent({ keepAlive: true });
const topic = randomBytes(24).toString("base64url");

function used() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function run(seconds) {
  const [start, end] = [used(), Date.now() + seconds * 1000];
  let count = 0;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (Date.now() < end) {
      const endpoint = `${origin}/fcm/send/${randomBytes(8).toString("base64url")}:APA91b${randomBytes(100).toString("base64url")}`;
      await webpush.sendNotification({ endpoint, keys }, content, { TTL: 43200, urgency: "high", topic, agent });
      count++;
    }
  }));
  return `${count} ${used() - start}`;
}

await run(0.5);
console.log(await run(seconds));
