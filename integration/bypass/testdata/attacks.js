// Every way of a page to make its browser send a request. Each gets the URL to
// reach, and the origin of the page. Those whose name begins with "opaque" send
// it from a document without an origin; those that begin with "via" need the
// stranger's server.
const attacks = {
  "fetch": u => fetch(u),
  "fetch with credentials": u => fetch(u, {credentials: "include"}),
  "fetch no-cors": u => fetch(u, {mode: "no-cors"}),
  "fetch no-cors no-referrer": u => fetch(u, {mode: "no-cors", referrerPolicy: "no-referrer"}),
  "fetch no-cors POST": u => fetch(u, {mode: "no-cors", method: "POST", body: "{}"}),
  "fetch no-cors HEAD": u => fetch(u, {mode: "no-cors", method: "HEAD"}),
  "fetch POST JSON": u => fetch(u, {method: "POST", headers: {"Content-Type": "application/json"}, body: "{}"}),
  "fetch DELETE": u => fetch(u, {method: "DELETE"}),
  "fetch keepalive": u => fetch(u, {mode: "no-cors", method: "POST", keepalive: true, body: "x"}),
  "XMLHttpRequest": u => { const x = new XMLHttpRequest(); x.open("GET", u); x.send(); },
  "XMLHttpRequest POST": u => { const x = new XMLHttpRequest(); x.open("POST", u); x.send("{}"); },
  "sendBeacon": u => navigator.sendBeacon(u, "{}"),
  "sendBeacon form": u => navigator.sendBeacon(u, new URLSearchParams({a: "b"})),
  "EventSource": u => new EventSource(u),
  "EventSource with credentials": u => new EventSource(u, {withCredentials: true}),
  "WebSocket": u => new WebSocket(u.replace(/^http/, "ws")),
  "image": u => { new Image().src = u; },
  "image no-referrer": u => element("img", {referrerPolicy: "no-referrer", src: u}),
  "image crossorigin": u => element("img", {crossOrigin: "use-credentials", src: u}),
  "image srcset": u => element("img", {srcset: u + " 1x"}),
  "script": u => element("script", {src: u}),
  "script module": u => element("script", {type: "module", src: u}),
  "import": u => import(u),
  "stylesheet": u => element("link", {rel: "stylesheet", href: u}),
  "stylesheet import": u => element("style", {textContent: `@import url("${u}");`}),
  "background": u => element("div", {style: `width:9px;height:9px;background:url("${u}")`}),
  "font": u => new FontFace("f", `url("${u}")`).load(),
  "prefetch": u => element("link", {rel: "prefetch", href: u}),
  "preload": u => element("link", {rel: "preload", as: "image", href: u}),
  "modulepreload": u => element("link", {rel: "modulepreload", href: u}),
  "video track": u => element("video", {crossOrigin: "anonymous", innerHTML: `<track default kind=captions src="${u}">`}).textTracks[0].mode = "showing",
  "object": u => element("object", {data: u}),
  "embed": u => element("embed", {src: u}),
  "SVG image": u => element("div", {innerHTML: `<svg><image href="${u}" width=9 height=9></svg>`}),
  "iframe": u => element("iframe", {src: u}),
  "iframe no-referrer": u => element("iframe", {referrerPolicy: "no-referrer", src: u}),
  "frame navigated": u => { const f = element("iframe", {}); f.contentWindow.location = u; },
  "form GET": u => form(u, "GET", "application/x-www-form-urlencoded"),
  "form POST": u => form(u, "POST", "application/x-www-form-urlencoded"),
  "form POST text": u => form(u, "POST", "text/plain"),
  "form POST multipart": u => form(u, "POST", "multipart/form-data"),
  "form POST no-referrer": u => form(u, "POST", "text/plain", {rel: "noreferrer noopener", target: "_blank"}),
  "window": u => open(u),
  "window noopener": u => open(u, "_blank", "noopener,noreferrer"),
  "window navigated": u => { open("about:blank").location = u; },
  "link": u => element("a", {href: u, target: "_blank", textContent: "x"}).click(),
  "link noreferrer": u => element("a", {href: u, target: "_blank", rel: "noreferrer", textContent: "x"}).click(),
  "link of a document by blob": u => open(URL.createObjectURL(new Blob([`<script>location=${JSON.stringify(u)}<\/script>`], {type: "text/html"}))),
  "worker": u => worker(`fetch(${JSON.stringify(u)})`),
  "worker no-cors": u => worker(`fetch(${JSON.stringify(u)}, {mode: "no-cors", referrerPolicy: "no-referrer"})`),
  "worker importScripts": u => worker(`importScripts(${JSON.stringify(u)})`),
  "worker WebSocket": u => worker(`new WebSocket(${JSON.stringify(u.replace(/^http/, "ws"))})`),
  "frame of srcdoc": u => element("iframe", {srcdoc: `<img src="${u}">`}),
  "frame of a meta refresh": u => element("iframe", {srcdoc: `<meta http-equiv=refresh content="0;url=${u}">`}),

  "opaque sandbox fetch": u => sandbox(`<script>fetch(${JSON.stringify(u)}, {mode: "no-cors"})<\/script>`),
  "opaque sandbox image": u => sandbox(`<meta name=referrer content=no-referrer><img src="${u}">`),
  "opaque sandbox form": u => sandbox(`<form method=POST action="${u}"></form><script>document.forms[0].submit()<\/script>`),
  "opaque sandbox WebSocket": u => sandbox(`<script>new WebSocket(${JSON.stringify(u.replace(/^http/, "ws"))})<\/script>`),
  "opaque sandbox navigation": u => sandbox(`<script>location=${JSON.stringify(u)}<\/script>`),
  "opaque data frame": u => element("iframe", {src: "data:text/html," + encodeURIComponent(`<img src="${u}">`)}),
  "opaque data fetch": u => element("iframe", {src: "data:text/html," + encodeURIComponent(`<script>fetch(${JSON.stringify(u)},{mode:"no-cors"})<\/script>`)}),

  "via redirect 302 image": (u, home) => element("img", {src: redirect(home, 302, u)}),
  "via redirect 307 fetch": (u, home) => fetch(redirect(home, 307, u), {mode: "no-cors", method: "POST", body: "{}"}),
  "via redirect 302 frame": (u, home) => element("iframe", {src: redirect(home, 302, u)}),
  "via redirect 307 form": (u, home) => form(redirect(home, 307, u), "POST", "text/plain"),
  "via redirect 308 window": (u, home) => open(redirect(home, 308, u)),
  "via redirect EventSource": (u, home) => new EventSource(redirect(home, 302, u)),
  "via Refresh": (u, home) => element("iframe", {src: home + "/refresh?to=" + encodeURIComponent(u)}),
  "via no-referrer page": (u, home) => element("iframe", {src: home + "/quiet?to=" + encodeURIComponent(u)}),
  "via content security report": (u, home) => element("iframe", {src: home + "/report?to=" + encodeURIComponent(u)}),
};

function element(name, properties) {
  const e = Object.assign(document.createElement(name), properties);
  document.body.append(e);
  return e;
}
function sandbox(srcdoc) { const f = document.createElement("iframe"); f.sandbox = "allow-scripts allow-forms"; f.srcdoc = srcdoc; document.body.append(f); }
function worker(source) { return new Worker(URL.createObjectURL(new Blob([source], {type: "text/javascript"}))); }
function redirect(home, code, to) { return `${home}/redirect?code=${code}&to=${encodeURIComponent(to)}`; }
let forms = 0;
function form(action, method, enctype, more) {
  const target = "form" + forms++;
  element("iframe", {name: target});
  element("form", {action, method, enctype, target, innerHTML: "<input name=a value=b>", ...more}).submit();
}

// Tries them all against a base URL, and tells their names and paths.
function attack(base, skip) {
  const tried = {};
  for (const [name, run] of Object.entries(attacks)) {
    if (skip.some(prefix => name.startsWith(prefix))) continue;
    tried[name] = "/" + name.replaceAll(" ", "-");
    try {
      const done = run(base + tried[name], location.origin);
      if (done && done.catch) done.catch(() => {});
    } catch (e) {
      tried[name] += " threw " + e;
    }
  }
  return tried;
}
