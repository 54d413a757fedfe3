// The page of authmin_page. Whatever the gateway sends becomes a text node or the number
// of an attribute; no text becomes HTML. The token is in one variable of this module.

import {badge, element, fill, mono, number, setText, since, tight} from "/table.js";

const maxRecords = 100; // shown
const maxEvents = 200; // shown of a task
const maxBuffer = 1 << 20; // of an event that is not whole yet
const minute = 60;

const $ = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");
const reasons = {
	missing: "no token was sent", malformed: "not a valid Authorization field", unknown: "a token of no keyring",
	expired: "the token has expired", revoked: "the token is revoked", not_yet: "the token is not valid yet",
	scope: "the token lacks the scope", locked: "the client is locked out", limited: "a limit is used up",
	path: "the path can be read in two ways", host: "a foreign Host", origin: "a foreign Origin",
	policy: "no rule allows it", body: "the body is not acceptable", model: "the token may not use the model", budget: "its budget is spent, or cannot be counted", audit: "it could not be recorded",
};

let token = "";
let session = null; // AbortController of everything that is open for this token
let paused = false;
let seconds = new Map(), now = 0;
let records = [];
let latest = {}; // the newest data by event, to be drawn

// Tables stay tables for screen readers where the style of a narrow screen makes blocks of
// their rows.
for (const table of document.querySelectorAll("table")) {
	table.setAttribute("role", "table");
	table.setAttribute("aria-labelledby", table.closest("section").getAttribute("aria-labelledby"));
	for (const group of table.querySelectorAll("thead, tbody")) group.setAttribute("role", "rowgroup");
	for (const row of table.querySelectorAll("tr")) row.setAttribute("role", "row");
	for (const head of table.querySelectorAll("th")) head.setAttribute("role", "columnheader");
}

// Server-sent events of an answer, as they come. EventSource could not send the token.
async function* eventsOf(path, signal) {
	const answer = await fetch(path, {
		headers: {authorization: "Bearer " + token}, signal,
		cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
	});
	if (!answer.ok) {
		let title = "status " + answer.status;
		try { title = (await answer.json()).title ?? title; } catch { /* no problem document */ }
		throw Object.assign(new Error(title), {status: answer.status});
	}
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let buffer = "";
	for (;;) {
		const {done, value} = await reader.read();
		if (done) return;
		buffer += value;
		if (buffer.length > maxBuffer) throw new Error("an event is too long");
		const parts = buffer.split("\n\n");
		buffer = parts.pop();
		for (const part of parts) {
			let event = "", data = "";
			for (const line of part.split("\n")) {
				if (line.startsWith("event: ")) event = line.slice(7);
				if (line.startsWith("data: ")) data = line.slice(6);
			}
			if (event) yield {event, data: JSON.parse(data)};
		}
	}
}

function draw() {
	if (paused) return;
	drawCounts();
	if (latest.account) drawAccount(latest.account);
	if (latest.usage) drawUsage(latest.usage);
	if (latest.budgets) drawBudgets(latest.budgets);
	if (latest.tokens) drawTokens(latest.tokens);
	if (latest.lockouts) drawLockouts(latest.lockouts);
	if (latest.fleet) drawFleet(latest.fleet);
	drawRecords();
}

function drawCounts() {
	let allowed = 0, refused = 0, most = 1;
	const why = new Map();
	for (const s of seconds.values()) {
		allowed += s.allowed + s.public;
		refused += s.refused + s.would_deny;
		most = Math.max(most, s.allowed + s.public + s.refused + s.would_deny);
		for (const [reason, count] of Object.entries(s.reasons ?? {})) why.set(reason, (why.get(reason) ?? 0) + count);
	}
	setText($("t-allowed"), numbers.format(allowed));
	setText($("t-refused"), numbers.format(refused));
	setText($("chart-most"), numbers.format(most));
	setText($("chart-text"), `${numbers.format(allowed)} allowed and ${numbers.format(refused)} refused in the last minute, at most ${numbers.format(most)} in a second`);
	const chart = $("chart");
	chart.replaceChildren();
	bar(chart, "grid", 0, 120, 600, 1);
	for (let i = 1; i < minute; i++) {
		const s = seconds.get(now - i);
		if (!s) continue;
		const up = (s.allowed + s.public) / most * 115, down = (s.refused + s.would_deny) / most * 115, x = (minute - i - 1) * 10 + 1.5;
		bar(chart, "allowed", x, 120 - up, 7, up);
		bar(chart, "refused", x, 120 - up - down, 7, down);
	}
	const last = seconds.get(now - 1)?.reasons ?? {};
	fill($("reasons"), [...why].sort((a, b) => b[1] - a[1]), ([reason]) => reason, ([reason, count]) => [
		{text: reason, note: reasons[reason] ?? ""}, number(numbers.format(last[reason] ?? 0)), number(numbers.format(count)),
	]);
}

function bar(chart, className, x, y, width, height) {
	if (!(height > 0)) return;
	const e = document.createElementNS("http://www.w3.org/2000/svg", "rect");
	for (const [name, value] of Object.entries({class: className, x, y, width, height})) e.setAttribute(name, value);
	chart.append(e);
}

function drawTokens(list) {
	fill($("tokens"), list.tokens, (t) => t.name + " " + t.fp6, (t) => [
		t.name, tight(mono(t.fp6)), badge(t.state), t.scopes.join(", "), t.expires ? since(t.expires) : "never", t.last_seen ? since(t.last_seen) : "not since the start",
	]);
	more($("more-tokens"), list.total - list.tokens.length, "more tokens");
}

function drawLockouts(list) {
	setText($("t-locked"), numbers.format(list.total));
	fill($("lockouts"), list.clients, (c) => c.client, (c) => [mono(c.client), since(c.until)]);
	more($("more-lockouts"), list.total - list.clients.length, "more clients");
}

// budgetCells are the cells of a budget: its amount, what it is of, what is used and left.
const budgetCells = (b) => [
	{text: `${numbers.format(b.amount)} ${b.unit} per ${b.period}`, note: b.shadow ? "counted only: it refuses nothing" : b.hard ? "hard: it ends streams" : ""},
	b.of, {...number(numbers.format(b.used)), meter: {max: b.amount, value: b.used}}, number(numbers.format(b.left)), since(b.resets_at),
];
const budgetKey = (b) => [b.identity ?? "", b.of, b.unit, b.period, b.shadow ?? false].join(" ");

function drawAccount(a) {
	setText($("a-models"), a.models?.join(", ") ?? "every model");
	setText($("a-expires"), a.expires ? a.expires.slice(0, 16).replace("T", " ") + " UTC" : "never");
	const limits = a.limits.flatMap((l, i) => [
		l.requests && {key: `rate ${l.guard} ${i}`, cells: [`${numbers.format(l.requests)} requests in ${numbers.format(l.window_seconds)} s`, "guard " + l.guard, number(""), number(numbers.format(l.left ?? 0)), ""]},
		l.inflight && {key: `inflight ${l.guard} ${i}`, cells: [`${numbers.format(l.inflight)} requests at once`, "guard " + l.guard, number(""), number(""), ""]},
	].filter(Boolean));
	fill($("account"), a.budgets.map((b) => ({key: budgetKey(b), cells: budgetCells(b)})).concat(limits), (row) => row.key, (row) => row.cells);
	more($("more-account"), a.guards - a.shown, "more guards");
}

function drawUsage(list) {
	const pair = (count) => ({...number(`${numbers.format(count.tokens_in)} / ${numbers.format(count.tokens_out)}`), note: count.estimated ? `of ${numbers.format(count.estimated)} estimated` : ""});
	fill($("usage"), list.rows ?? [], (row) => JSON.stringify([row.identity, row.model]), (row) => [
		tight(row.identity), mono(row.model), number(numbers.format(row.today.calls)), pair(row.today), number(numbers.format(row.all.calls)), pair(row.all),
	]);
	more($("more-usage"), list.total - (list.rows?.length ?? 0), "more rows");
}

function drawBudgets(list) {
	fill($("budgets"), list.budgets ?? [], budgetKey, (b) => [tight(b.identity), ...budgetCells(b)]);
	more($("more-budgets"), list.total - (list.budgets?.length ?? 0), "more budgets");
}

function more(e, count, what) {
	e.hidden = count <= 0;
	setText(e, `and ${numbers.format(count)} ${what}`);
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + ".";

function drawFleet(f) {
	const noNodes = f.problem ?? f.nodes_problem;
	setText($("no-tasks"), f.problem ? sentence(f.problem) : "There is no task.");
	setText($("no-nodes"), noNodes ? sentence(noNodes) : "No node has registered.");
	const tasks = f.tasks ?? [], nodes = f.nodes ?? [];
	setText($("t-running"), numbers.format(tasks.filter((t) => t.state === "running").length));
	const slots = nodes.flatMap((n) => n.state === "online" ? n.pools ?? [] : []);
	const total = slots.reduce((sum, p) => sum + p.slots_total, 0), free = slots.reduce((sum, p) => sum + p.slots_free, 0);
	setText($("t-slots"), total ? `${numbers.format(total - free)} of ${numbers.format(total)} slots in use` : "of the newest tasks");
	setText($("t-queued"), numbers.format(f.queued) + (f.queued_more ? "+" : ""));
	setText($("t-capacity"), f.capacity ? "of " + numbers.format(f.capacity) + " in the queue" : "in the queue");
	setText($("t-nodes"), numbers.format(nodes.filter((n) => n.state === "online").length));
	fill($("tasks"), tasks, (t) => t.task_id, (t) => [
		{...badge(t.state), note: t.error?.code ?? ""}, {text: t.model_ref, note: t.model_used ? "ran on " + t.model_used : ""}, tight(t.owner),
		{text: t.pool_id ?? "", note: t.waiting ?? ""},
		number(`${numbers.format(t.tokens_in)} / ${numbers.format(t.tokens_out)}`), since(t.created_at),
		{text: "Events of task " + t.task_id, button: () => showEvents(t.task_id)},
	]);
	const pools = nodes.flatMap((n) => (n.pools ?? []).map((p) => ({...p, node: n})).concat(n.pools?.length ? [] : [{node: n}]));
	fill($("nodes"), pools, (p) => p.node.node_id + " " + p.pool_id, (p) => [
		p.node.node_id, tight(p.pool_id ?? ""), badge(p.node.state !== "online" ? p.node.state : p.draining ? "draining" : p.ready ? "ready" : p.state || "not ready"),
		p.engine ?? "", {text: p.model_ref ?? "", className: "mono"},
		{...tight(p.slots_total ? `${p.slots_total - p.slots_free} of ${p.slots_total}` : ""), meter: {max: p.slots_total || 1, value: (p.slots_total ?? 0) - (p.slots_free ?? 0)}},
		since(p.node.last_heartbeat),
	]);
}

function drawRecords() {
	const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
	const shown = records.filter((r) => words.every((word) => r.text.includes(word)));
	fill($("records"), shown, (r) => r.key, ({record: r}) => [
		tight(mono((r.time ?? "").slice(11, 19), r.time ?? "")),
		r.decision ? badge(r.decision) : tight({text: r.event ?? "", className: "badge other"}),
		tight(r.token || r.identity || ""),
		mono(r.path === undefined ? r.error ?? "" : `${r.method ?? ""} ${r.path}`, r.host ?? ""),
		tight({text: r.reason ?? "", title: reasons[r.reason] ?? ""}),
		tight(mono(r.client_ip || r.remote_ip || "")), {text: r.user_agent ?? "", className: "muted"},
	]);
}

// take keeps what came; draw shows it.
function take({event, data}) {
	switch (event) {
	case "hello":
		greet(data);
		break;
	case "counts":
		now = data.now;
		for (const s of data.seconds ?? []) seconds.set(s.t, s);
		for (const t of seconds.keys()) if (t <= now - minute) seconds.delete(t);
		draw();
		break;
	case "records":
		for (const r of data) records.unshift({key: `${r.time} ${r.seq}`, record: r, text: JSON.stringify(Object.values(r)).toLowerCase()});
		records.length = Math.min(records.length, maxRecords);
		break;
	default:
		latest[event] = data;
	}
}

function greet(who) {
	$("who").replaceChildren(element("b", who.name), " ", element("span", who.scopes.join(", "), "muted"));
	setText($("a-name"), who.name);
	setText($("a-scopes"), who.scopes.join(", "));
	for (const e of document.querySelectorAll(".fleet")) e.hidden = !who.orchestrator;
	for (const e of document.querySelectorAll(".admin")) e.hidden = !who.admin || (e.classList.contains("fleet") && !who.orchestrator);
	if ($("view").hidden) {
		for (const id of ["who", "actions", "view"]) $(id).hidden = false;
		$("signin").hidden = true;
		$("main").focus({preventScroll: true});
		scrollTo(0, 0);
	}
	status(paused ? "paused" : "live");
}

function status(text) {
	$("status").className = "status " + text.replace(" ", "-");
	setText($("status"), text);
}

// run reads the stream, and opens another when it ends, until the token is not valid any
// more or the person leaves.
async function run(mine) {
	for (let wait = 1000; !mine.signal.aborted; wait = Math.min(wait * 2, 15000)) {
		try {
			seconds = new Map(), records = [];
			for await (const event of eventsOf("/data/live", mine.signal)) {
				wait = 500;
				take(event);
			}
		} catch (e) {
			if (mine.signal.aborted) return;
			if (e.status === 401 || e.status === 403 || (e.status && $("view").hidden)) return signOut(e.message + ".");
			if ($("view").hidden) return signOut("The gateway does not answer.");
		}
		if (!mine.signal.aborted) status("connecting again");
		await new Promise((resolve) => setTimeout(resolve, wait));
	}
}

function signOut(problem) {
	session?.abort();
	session = null, token = "", latest = {}, seconds = new Map(), records = [], paused = false;
	$("pause").setAttribute("aria-pressed", "false");
	$("events").close();
	for (const body of document.querySelectorAll("tbody, .facts dd")) body.replaceChildren();
	for (const id of ["who", "actions", "view"]) $(id).hidden = true;
	$("signin").hidden = false;
	$("token").value = "", $("filter").value = "";
	setText($("problem"), problem);
	status("signed out");
	$("token").focus();
}

$("signin").addEventListener("submit", (e) => {
	e.preventDefault();
	const typed = $("token").value.trim();
	$("token").value = "";
	if (!/^[\w.~+/=-]{1,8192}$/.test(typed)) {
		setText($("problem"), "This is not a token.");
		return;
	}
	setText($("problem"), "");
	session?.abort();
	token = typed;
	session = new AbortController();
	status("connecting");
	run(session);
});
$("leave").addEventListener("click", () => signOut(""));
$("pause").addEventListener("click", () => {
	paused = !paused;
	$("pause").setAttribute("aria-pressed", String(paused));
	status(paused ? "paused" : "live");
	draw();
});
$("filter").addEventListener("input", drawRecords);

// The events of one task, in a dialog.
let watching = null;
async function showEvents(id) {
	watching?.abort();
	const mine = watching = new AbortController();
	session.signal.addEventListener("abort", () => mine.abort(), {signal: mine.signal});
	$("events-list").replaceChildren();
	setText($("events-id"), id);
	setText($("events-progress"), "Connecting.");
	$("events").showModal();
	try {
		for await (const {event, data} of eventsOf(`/data/tasks/${encodeURIComponent(id)}/events`, mine.signal)) {
			if (event === "progress") setText($("events-progress"), `Pieces of the answer so far: ${numbers.format(data.pieces)}.`);
			if (event === "task") addEvent(data);
		}
		if ($("events-progress").textContent === "Connecting.") setText($("events-progress"), "");
	} catch (e) {
		if (!mine.signal.aborted) setText($("events-progress"), e.message + ".");
	}
}

function addEvent({event, data}) {
	const list = $("events-list"), item = document.createElement("li");
	if (list.childElementCount >= maxEvents) list.firstElementChild.remove();
	if ($("events-progress").textContent === "Connecting.") setText($("events-progress"), "");
	item.append(element("b", event), " ", element("span", Object.entries(data).map(([k, v]) => `${k.replaceAll("_", " ")} ${v}`).join(", "), "muted"));
	list.append(item);
}
$("events").addEventListener("close", () => watching?.abort());
$("events-close").addEventListener("click", () => $("events").close());
