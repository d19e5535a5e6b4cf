// Encrypts messages of so many bytes for a second of processor time, as npm web-push does for each it sends, and prints how many.
import { createECDH, randomBytes } from "node:crypto";
import { createRequire } from "node:module";

const { encrypt } = createRequire(import.meta.url)("web-push/src/encryption-helper.js");
const userAgent = createECDH("prime256v1");
userAgent.generateKeys();
const [p256dh, auth] = [userAgent.getPublicKey("base64url"), randomBytes(16).toString("base64url")];
const content = randomBytes(Number(process.argv[2]));

function used() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function run(seconds) {
  const start = used();
  let count = 0;
  while (used() - start < seconds) {
    for (let i = 0; i < 20; i++) encrypt(p256dh, auth, content, "aes128gcm");
    count += 20;
  }
  return count / (used() - start);
}

run(0.5);
console.log(run(1));
