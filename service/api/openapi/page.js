// After json.js of the page for people, which /docs/page.js begins with: parse, stringify.
// Shows /openapi.json. Whatever comes from the document, or as an answer, becomes text and
// never markup; and the page's Content-Security-Policy runs no other script.

const make = (tag, text, attributes = {}) => {
  const element = document.createElement(tag);
  if (text !== undefined && text !== "") element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};
// The key that the page of models keeps, for services that ask for one (page/api_key.js).
const withKey = () => {
  const key = sessionStorage.getItem("understudy-api-key");
  return key ? { "X-API-Key": key } : {};
};
const add = (parent, ...children) => { parent.append(...children); return parent; };
const pretty = (value) => stringify(value, 1);

const resolve = (api, value) => {
  if (!value || typeof value.$ref !== "string") return value || {};
  return value.$ref.slice(2).split("/").reduce((found, key) => (found || {})[key], api) || {};
};

// A schema as lines of text: what a person needs to write a value.
const describe = (api, schema, depth = 0) => {
  const found = resolve(api, schema);
  const pad = "  ".repeat(depth);
  if (depth > 7) return "…";
  if (found.const !== undefined) return pretty(found.const);
  if (found.enum) return `one of ${found.enum.map((item) => pretty(item)).join(", ")}`;
  const options = found.anyOf || found.oneOf;
  if (options) {
    const lines = [...new Set(options.map((item) => describe(api, item, depth + 1)))];
    return lines.length === 1 ? lines[0] : lines.map((line) => `\n${pad}| ${line}`).join("");
  }
  const bounds = [];
  // The bounds of a dtype itself tell nobody anything.
  const tells = (bound) => bound !== undefined && Math.abs(Number(bound)) < 1e30;
  if (tells(found.minimum)) bounds.push(`at least ${found.minimum}`);
  if (tells(found.maximum)) bounds.push(`at most ${found.maximum}`);
  if (found.maxLength !== undefined) bounds.push(`at most ${found.maxLength} long`);
  if (found.minItems !== undefined && found.minItems === found.maxItems) bounds.push(`${found.minItems} items`);
  const limits = bounds.length ? ` (${bounds.join(", ")})` : "";
  const meaning = found.description ? `  — ${found.description}` : "";
  const note = limits + meaning;
  if (found.properties) {
    const required = new Set(found.required || []);
    const lines = Object.entries(found.properties).map(([name, item]) =>
      `${pad}  ${pretty(name)}${required.has(name) ? "" : "?"}: ${describe(api, item, depth + 1)}`);
    return `{\n${lines.join("\n")}\n${pad}}${note}`;
  }
  if (found.type === "array") return `list${limits} of ${describe(api, found.items || {}, depth + 1)}${meaning}`;
  return `${[].concat(found.type || "anything").join(" or ")}${note}`;
};

let forms = 0;

const tryIt = (api, path, method, operation) => {
  const id = `try-${++forms}`;
  const content = operation.requestBody && resolve(api, operation.requestBody).content;
  const form = make("form", "", { "aria-label": `Try ${method.toUpperCase()} ${path}` });
  const answer = make("pre", "", { "aria-live": "polite", tabindex: "0", "aria-label": "Answer" });
  let box = null;
  let type = "";
  if (content) {
    // Files and forms are for curl; the box is for JSON.
    type = Object.keys(content)[0];
    const examples = Object.values(content[type].examples || {}).map((item) => resolve(api, item));
    box = make("textarea", "", { id, spellcheck: "false" });
    box.value = examples.length ? pretty(examples[0].value) : "{}";
    add(form, add(make("p"), make("label", "Body", { for: id }), box));
    if (examples.length > 1) {
      const choice = make("select", "", { id: `${id}-example` });
      examples.forEach((item, i) => add(choice, make("option", item.summary || `example ${i + 1}`, { value: String(i) })));
      choice.addEventListener("change", () => { box.value = pretty(examples[Number(choice.value)].value); });
      form.prepend(add(make("p"), make("label", "Example ", { for: `${id}-example` }), choice));
    }
  }
  let token = null;
  if ((operation.security || []).some((scheme) => "admin" in scheme)) {
    token = make("input", "", { id: `${id}-token`, type: "password", autocomplete: "off" });
    add(form, add(make("p"), make("label", "Admin token ", { for: `${id}-token` }), token));
  }
  add(form, make("button", "Send", { type: "submit" }), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.textContent = "…";
    const headers = withKey();
    if (box) headers["Content-Type"] = type;
    if (token && token.value) headers.Authorization = `Bearer ${token.value}`;
    try {
      const start = performance.now();
      const response = await fetch(path, { method: method.toUpperCase(), headers, body: box ? box.value : undefined });
      let text = await response.text();
      try { text = pretty(parse(text)); } catch { /* It is no JSON: shown as it came. */ }
      const told = ["X-Request-Id", "X-Model-Version"].filter((name) => response.headers.has(name))
        .map((name) => `${name}: ${response.headers.get(name)}\n`).join("");
      const spent = (performance.now() - start).toFixed(0);
      answer.textContent = `${response.status} ${response.statusText}, ${spent} ms\n${told}\n${text}`;
    } catch (error) {
      answer.textContent = `No answer: ${error.message}`;
    }
  });
  return form;
};

const fill = (api, path, method, operation, into) => {
  if (operation.description) add(into, make("p", operation.description));
  const content = operation.requestBody && resolve(api, operation.requestBody).content;
  if (content) {
    for (const [type, body] of Object.entries(content)) {
      add(into, make("h3", `Request: ${type}`), make("pre", describe(api, body.schema), { tabindex: "0" }));
    }
  }
  const table = add(make("table"), add(make("tr"), make("th", "Answer", { scope: "col" }), make("th", "When", { scope: "col" })));
  for (const [status, item] of Object.entries(operation.responses || {})) {
    add(table, add(make("tr"), make("th", status, { scope: "row" }), make("td", resolve(api, item).description)));
  }
  add(into, make("h3", "Answers"), table);
  const ok = resolve(api, (operation.responses || {})["200"]).content || {};
  for (const [type, body] of Object.entries(ok)) {
    if (body.schema) add(into, make("pre", `${type}\n${describe(api, body.schema)}`, { tabindex: "0" }));
  }
  add(into, make("h3", "Try it"), tryIt(api, path, method, operation));
};

const show = (api) => {
  document.title = `${api.info.title}: the API`;
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  document.getElementById("about").textContent = api.info.description || "";
  const groups = new Map();
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const group = (operation.tags || ["service"])[0];
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push([path, method, operation]);
    }
  }
  const titles = new Map((api.tags || []).map((tag) => [tag.name, tag.description]));
  const main = document.getElementById("operations");
  main.replaceChildren();
  const entries = [];
  for (const [group, found] of groups) {
    const title = titles.get(group);
    const section = add(make("section"), make("h2", title && title !== group ? `${group}: ${title}` : group));
    for (const [path, method, operation] of found) {
      const item = make("details");
      const head = add(make("summary"), make("span", method.toUpperCase(), { class: `method ${method}` }),
        make("code", path), document.createTextNode(` ${operation.summary || ""}`));
      const body = make("div");
      item.addEventListener("toggle", () => {
        if (item.open && !body.childNodes.length) fill(api, path, method, operation, body);
      });
      add(section, add(item, head, body));
      entries.push([path.toLowerCase(), item]);
    }
    add(main, section);
  }
  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const [path, item] of entries) item.hidden = !path.includes(wanted);
    for (const section of main.children) section.hidden = !section.querySelector("details:not([hidden])");
  });
};

const load = async () => {
  const response = await fetch("/openapi.json", { headers: withKey() });
  const value = parse(await response.text());
  if (!response.ok) throw new Error(value.error);
  show(value);
};

load().catch((error) => {
  document.getElementById("about").textContent = `The document could not be read: ${error.message}`;
});
