// code-server knows no base path, but all its addresses are relative: it is shown each request without the session's.
"use strict";
const { Server } = require("node:http");

const PORT = 8888;
const base = process.env.BASE_PATH;
const emit = Server.prototype.emit;

// Other servers of the same process, such as the socket on which a terminal's `code-server FILE` arrives, are left alone.
Server.prototype.emit = function (event, request, ...rest) {
  const asked = event === "request" || event === "upgrade";
  if (!asked || this.address()?.port !== PORT) return emit.call(this, event, request, ...rest);
  const below = belowBase(request.url);
  if (below?.startsWith("/")) {
    request.url = below;
    return emit.call(this, event, request, ...rest);
  }
  return event === "upgrade" ? rest[0].destroy() : answer(rest[0], below === "" ? 302 : 404);
};

// Return what follows the base path; the editor's page also writes alice@lab where the browser was led to alice%40lab.
function belowBase(url) {
  const path = url.split("?")[0];
  const start = path.split("/").slice(0, base.split("/").length).join("/");
  return same(start) ? url.slice(start.length) : undefined;
}

function same(start) {
  try {
    return decodeURIComponent(start) === decodeURIComponent(base);
  } catch {
    return false;
  }
}

function answer(response, status) {
  response.writeHead(status, status === 302 ? { Location: `${base}/` } : {}).end();
}
