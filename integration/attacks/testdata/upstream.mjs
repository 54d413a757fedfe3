// An upstream that reads the path of a request as Node's routers do, in several ways, and
// names every resource that one of them finds.
import http from "node:http";
import path from "node:path";

const resources = ["/health", "/public/x", "/v1/models", "/admin/pools", "/ollama/api/pull", "/v2/nodes", "/v2/tasks", "/internal/x"];
const places = resources.map((r) => [r, r.startsWith("/v2/") ? r : "/" + r.split("/")[1]]);

const decode = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

const readings = [
  (url) => new URL(url, "http://upstream").pathname, // dot segments and \ as the web has them
  (url) => decode(new URL(url, "http://upstream").pathname),
  (url) => path.posix.normalize(decode(url.split(/[?#]/)[0])),
  (url) => path.posix.normalize(decode(url.split(/[?#]/)[0]).replaceAll("\\", "/")),
  (url) => decode(url.split(/[?#;]/)[0]).normalize("NFKC"),
  (url) => path.posix.normalize(decode(decode(url.split(/[?#]/)[0]))),
];

http.createServer((request, response) => {
  const found = new Set();
  for (const read of readings) {
    let asked;
    try { asked = read(request.url).toLowerCase(); } catch { continue; }
    for (const [resource, place] of places) {
      if (asked === place || asked.startsWith(place + "/")) found.add(resource);
    }
  }
  request.resume();
  response.writeHead(found.size ? 200 : 404, { "Content-Type": "text/plain" });
  response.end([...found].map((r) => "RESOURCE=" + r + "\n").join(""));
}).listen(Number(process.argv[3]), process.argv[2]);
