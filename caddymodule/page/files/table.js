// Tables of the page and what is in their cells. All texts become text nodes.

// element makes an element with a text in it.
export function element(name, text, className) {
	const e = document.createElement(name);
	if (text !== undefined) e.textContent = text;
	if (className) e.className = className;
	return e;
}

export function setText(e, text) {
	if (e.textContent !== text) e.textContent = text;
}

// fill makes the rows of a table those of a list. A row stays the same element while its
// key is there, so that the focus and a selection stay where they are. A cell is a text,
// or {text, className, cellClass, title, note, meter, button}.
export function fill(body, list, keyOf, cellsOf) {
	const old = new Map();
	for (const row of body.rows) old.set(row.dataset.key, row);
	const heads = [...body.parentElement.tHead.rows[0].cells].map((cell) => cell.textContent);
	let at = body.firstElementChild;
	for (const item of list) {
		const key = String(keyOf(item)), cells = cellsOf(item);
		let row = old.get(key);
		if (row) {
			old.delete(key);
		} else {
			row = document.createElement("tr");
			row.dataset.key = key;
			row.setAttribute("role", "row");
			for (const [i, cell] of cells.entries()) row.append(newCell(cell, heads[i]));
		}
		cells.forEach((cell, i) => update(row.cells[i], cell));
		if (row === at) at = at.nextElementSibling;
		else body.insertBefore(row, at);
	}
	for (const row of old.values()) row.remove();
	const empty = body.parentElement.parentElement.querySelector(".empty");
	body.parentElement.hidden = list.length === 0;
	if (empty) empty.hidden = list.length > 0;
}

function newCell(cell, head) {
	const e = document.createElement("td");
	e.dataset.label = head;
	e.setAttribute("role", "cell");
	if (cell.button) {
		const button = element("button", "Events");
		button.type = "button";
		button.addEventListener("click", cell.button);
		e.append(button);
	} else {
		e.append(document.createElement("span"), element("small", "", "note"));
		if (cell.meter) e.append(document.createElement("meter"));
	}
	return e;
}

function update(e, cell) {
	const inner = e.firstElementChild;
	if (cell.button) {
		inner.setAttribute("aria-label", cell.text);
		return;
	}
	const {text, className = "", title = "", cellClass = "", note = "", meter} = typeof cell === "object" ? cell : {text: cell};
	setText(inner, text || "–");
	setText(inner.nextElementSibling, note);
	if (meter) Object.assign(e.querySelector("meter") ?? {}, {max: meter.max, value: meter.value});
	if (inner.className !== className) inner.className = className;
	if (inner.title !== title) inner.title = title;
	if (e.className !== cellClass) e.className = cellClass;
}

export const number = (text) => ({text, cellClass: "number"});
export const mono = (text, title = "") => ({text, className: "mono", title});
export const tight = (cell) => ({...(typeof cell === "object" ? cell : {text: cell}), cellClass: "tight"});

const good = ["active", "online", "ready", "completed", "running", "allow"];
const bad = ["revoked", "expired", "offline", "failed", "refuse"];

// badge is a state, with a color beside the word.
export function badge(state) {
	const kind = good.includes(state) ? "good" : bad.includes(state) ? "bad" : "other";
	return {text: state, className: "badge " + kind, cellClass: "tight"};
}

// since is how long ago a time was, or in how long it is.
export function since(text) {
	if (!text) return {text: ""};
	const ms = Date.now() - Date.parse(text), s = Math.abs(ms) / 1000;
	if (s > 90 * 86400) return tight({text: text.slice(0, 10), title: text});
	const long = s < 90 ? [s, "s"] : s < 5400 ? [s / 60, "min"] : s < 129600 ? [s / 3600, "h"] : [s / 86400, "days"];
	const span = Math.round(long[0]) + " " + long[1];
	return tight({text: ms >= 0 ? span + " ago" : "in " + span, title: text});
}
