// All models: what serves, how good it is, what it has to do.

import { announce, el } from "./dom.js";
import { Figures, Sparkline, interval, rounded } from "./figures.js";
import { stateOf } from "./versions_tab.js";

export class ModelsView {
  /** @param {import("./polling.js").Overview} overview */
  constructor(overview) {
    this.overview = overview;
    /** @type {Map<string, ModelItem>} */
    this.items = new Map();
    this.list = el("ul", { class: "models" });
    this.problems = el("div", {});
    this.element = el("div", {}, el("h1", { text: "Models" }), this.problems, this.list);
    document.title = "Understudy";
    this.shownProblems = "";
    this.update();
  }

  update() {
    const { value } = this.overview;
    if (!value) return;
    const names = value.models.map((/** @type {any} */ model) => model.name);
    for (const name of this.items.keys()) {
      if (!names.includes(name)) this.remove(name);
    }
    for (const model of value.models) {
      let item = this.items.get(model.name);
      if (!item) {
        this.items.set(model.name, (item = new ModelItem(model.name)));
        this.list.append(item.element);
      }
      item.update(model, this.overview);
    }
    this.showProblems(value);
  }

  /** @param {string} name */
  remove(name) {
    this.items.get(name)?.element.remove();
    this.items.delete(name);
  }

  /** @param {any} value */
  showProblems({ problem, ignored, models }) {
    const now = JSON.stringify([problem, ignored, models.length]);
    if (now === this.shownProblems) return;
    this.shownProblems = now;
    this.problems.replaceChildren(...[
      problem ? el("p", { class: "notice bad", role: "alert", text: problem }) : null,
      models.length ? null : el("p", { class: "notice", text: "There is none yet. Put a version into the folder of models: <model>/<version>/saved_model.pb." }),
      ignored.length ? el("details", {}, el("summary", { text: `${ignored.length} ${ignored.length === 1 ? "thing lies" : "things lie"} in the folder of models and ${ignored.length === 1 ? "is" : "are"} not served` }),
        el("ul", {}, ...ignored.map((/** @type {any} */ item) => el("li", {}, el("code", { text: item.path }), ` ${item.reason}`)))) : null,
    ].filter(Boolean));
  }
}

class ModelItem {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.shown = "";
    this.live = "";
    this.about = el("div", { class: "stack" });
    this.figures = new Figures();
    this.spark = new Sparkline();
    this.element = el("li", { class: "paper", "data-model": name }, this.about, this.figures.element, this.spark.element);
  }

  /** @param {any} model @param {import("./polling.js").Overview} overview */
  update(model, overview) {
    this.figures.update(overview.figures(this.name));
    this.spark.update(overview.histories.get(this.name)?.rates || []);
    const { times: _, ...rest } = model;
    const now = JSON.stringify(rest);
    if (now === this.shown) return;
    this.shown = now;
    if (this.live && model.version && this.live !== model.version) announce(`${this.name}: version ${model.version} serves now.`);
    this.live = model.version || "";
    const { evaluation } = model;
    const others = model.versions.filter((/** @type {any} */ each) => each.version !== model.version && each.state !== "end");
    this.about.replaceChildren(...[
      el("div", { class: "row apart" },
        el("h2", {}, el("a", { href: `/models/${encodeURIComponent(this.name)}`, text: model.title || this.name })),
        livePill(model)),
      el("p", { class: "quiet" }, el("code", { text: this.name }), ...marks(model)),
      evaluation ? el("p", { class: "evaluation" }, el("b", { text: rounded(evaluation.value) }), ` ${evaluation.name} `,
        el("span", { class: "quiet", text: interval(evaluation) && `(${interval(evaluation)})` })) : null,
      others.length ? el("ul", { class: "versions" }, ...others.map((/** @type {any} */ each) => stateOf(each, model))) : null,
      model.policy_problem ? el("p", { class: "notice warn", text: model.policy_problem }) : null,
    ].filter(Boolean));
  }
}

/** @param {any} model @returns {HTMLElement} */
export function livePill(model) {
  if (model.version) return el("span", { class: "pill good", "data-live": model.version, text: `version ${model.version}` });
  if (model.unloaded) return el("span", { class: "pill", text: "unloaded" });
  const isLoading = model.versions.some((/** @type {any} */ each) => !["failed", "end"].includes(each.state));
  return el("span", { class: `pill ${isLoading ? "warn" : "bad"}`, text: isLoading ? "loading" : "does not serve" });
}

/** @param {any} model @returns {HTMLElement[]} */
export function marks(model) {
  const labels = Object.entries(model.labels).map(([label, version]) => `${label} → ${version}`);
  return [...(model.pinned ? ["pinned"] : []), ...labels].map((text) => el("span", {}, " ", el("span", { class: "pill", text })));
}

