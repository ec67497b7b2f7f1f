// Prints, as JSON, the errors that the npm package "fhir" (R4) finds in each resource of a file that holds a list.
"use strict";

const fs = require("fs");
const { Fhir } = require("fhir");

console.log = () => {}; // the package prints what it finds, which would mix with the answer
const fhir = new Fhir();
const resources = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const found = resources.map((resource) =>
  fhir
    .validate(resource, { errorOnUnexpected: true })
    .messages.filter((one) => ["error", "fatal"].includes(one.severity))
    .map((one) => `${one.location}: ${one.message}`),
);
process.stdout.write(JSON.stringify(found));
