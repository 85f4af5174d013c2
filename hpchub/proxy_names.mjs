// Loaded by `node --import` before configurable-http-proxy, where hub.internal_tls is on.
//
// A notebook's certificate has the name of its session, since nobody knows the node when it is made.  The hub writes
// that name behind the target of a route (https://NODE:PORT/#NAME), and here the proxy compares the certificate with it.
// Without a name the target's own host counts, never the Host header of whoever asks, which Node would take.

import { realpathSync } from "node:fs";
import https from "node:https";
import { isIP } from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";

const program = realpathSync(process.argv[1]);
const library = path.join(path.dirname(program), "..", "lib", "configproxy.js");
const { ConfigurableProxy } = await import(pathToFileURL(library));

const MOST_IDLE = 1000;
const agents = new Map();

function agentOf(name) {
  // One for each name: a connection that was kept open is used for no other name than the one that it was checked for.
  let agent = agents.get(name);
  if (agent === undefined) {
    if (agents.size >= MOST_IDLE) forgetIdle();
    agent = new https.Agent({ keepAlive: true, servername: name });
    agents.set(name, agent);
  }
  return agent;
}

function forgetIdle() {
  for (const [name, agent] of agents) {
    const used = [agent.sockets, agent.freeSockets, agent.requests].some((each) => Object.keys(each).length > 0);
    if (!used) agents.delete(name);
  }
}

const original = ConfigurableProxy.prototype.proxyOptsForTarget;

ConfigurableProxy.prototype.proxyOptsForTarget = function (target) {
  const name = target.hash ? target.hash.slice(1) : "";
  target.hash = "";
  const options = original.call(this, target);
  if (target.protocol === "https:") {
    const host = target.hostname.replace(/^\[|\]$/g, "");
    // An address is compared with the certificate's addresses, and sent as no name.
    options.agent = agentOf(name || (isIP(host) ? "" : host));
  }
  return options;
};
