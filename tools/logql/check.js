// Judges LogQL queries by the grammar of Grafana's own editor.
//
// stdin:  a JSON array of queries.
// stdout: a JSON array of the same length: null for a query that parses, otherwise its first error as
//         {"from": …, "to": …, "message": …}, offsets in Unicode code points as Python counts them.
// Exits 0 with a verdict on every query, 2 when the input is no such array.
"use strict";

const { readFileSync } = require("node:fs");
const { parser } = require("@grafana/lezer-logql");

// Much the longest thing we quote of a query: enough to find the place.
const QUOTED = 40;

function readQueries() {
  const queries = JSON.parse(readFileSync(0, "utf8"));
  if (!Array.isArray(queries) || !queries.every((query) => typeof query === "string")) {
    throw new TypeError("not an array of strings");
  }
  return queries;
}

function firstError(tree) {
  let found = null;
  tree.iterate({
    enter(node) {
      if (found === null && node.type.isError) found = { from: node.from, to: node.to };
      return found === null;
    },
  });
  return found;
}

// The grammar only marks the place: text that it skipped, or a point where something is missing.
function describe(query, { from, to }) {
  if (from < to) return `unexpected ${JSON.stringify(query.slice(from, Math.min(to, from + QUOTED)))}`;
  const rest = query.slice(from).trim();
  return rest === "" ? "the query ends too early" : `something is missing before ${JSON.stringify(rest.slice(0, QUOTED))}`;
}

function judge(query) {
  if (query.trim() === "") return { from: 0, to: 0, message: "the query is empty" };
  const error = firstError(parser.parse(query));
  if (error === null) return null;
  const codePoints = (offset) => Array.from(query.slice(0, offset)).length;
  return { from: codePoints(error.from), to: codePoints(error.to), message: describe(query, error) };
}

let queries;
try {
  queries = readQueries();
} catch (error) {
  process.stderr.write(`lezer-logql: stdin is no JSON array of queries: ${error.message}\n`);
  process.exit(2);
}
process.stdout.write(`${JSON.stringify(queries.map(judge))}\n`);
