// Checks AsyncAPI documents: node validate.mjs FILE...
import { Parser, fromFile } from "@asyncapi/parser";

const parser = new Parser();
for (const file of process.argv.slice(2)) {
  // Severity 0 is an error, 1 a warning; the rest is advice.
  const { diagnostics } = await fromFile(parser, file).parse();
  for (const { severity, path, message } of diagnostics.filter(({ severity }) => severity <= 1)) {
    console.error(`${file}: ${path.join(".")}: ${message}`);
    process.exitCode = 1;
  }
}
