// The shapes that the page's modules hand to each other; for editors, and never sent to browsers.
// TypeScript checks the modules against them: tests/service/api/test_page_types.py.

/** What TypeScript does not know yet of JavaScript's JSON. */
interface JSON {
  parse(text: string, revive: (key: string, value: any, context?: { source?: string }) => any): any;
  rawJSON?(text: string): object;
}

type Row = Record<string, any>;
type Shape = (number | null)[];
type Pair = [number, number];
type Canvas = HTMLCanvasElement;
type Drawing = CanvasRenderingContext2D;
/** Channels are 0 where they are no dimension; low is black, high is white. */
type Picture = { size: number; channels: number; low: number; high: number };

/** An input or output of a signature, as the contract describes it. */
interface Field {
  name: string;
  dtype: string;
  /** Of the whole tensor; null of unknown rank, and null for a free dimension. */
  shape: Shape | null;
  description?: string;
  unit?: string;
  minimum?: number;
  maximum?: number;
  choices?: any[];
  max_length?: number;
  content_types?: string[];
  nullable?: boolean;
  example?: any;
  has_default?: boolean;
  default?: any;
  /** Where it is a picture of numbers. */
  picture?: Picture;
  /** Where a slider can move it. */
  slider?: { min: number; max: number; step: number | "any" };
  /** Of its dtype. */
  limits?: any[];
}

interface Signature {
  inputs: Field[];
  outputs: Field[];
  /** Whether a request may hold several instances. */
  has_rows: boolean;
  rows_independent: boolean;
  /** Whether the service has said that an answer's rows are not the input's: requests then have columns of one row. */
  is_whole: boolean | undefined;
}

/** A golden example. */
interface Example {
  note: string;
  /** The note in short, without what is_hard says. */
  title: string;
  is_hard: boolean;
  signature: string;
  instance: Row;
  truth: Row;
}

/** What GET /ui/models/<model>/versions/<version> answers. */
interface Version {
  name: string;
  version: string;
  signatures: Record<string, Signature>;
  /** Sections, as a card has them. */
  contract: any[];
  examples: Example[];
  card: any;
}

/** Whom a prediction is asked of; without a version, of the one that is live. */
interface Target {
  model: string;
  version?: string;
  name: string;
  signature: Signature;
}

interface Outcome {
  ok: boolean;
  error: string;
  /** The service's messages by the path of what they are about. */
  details: Record<string, string[]>;
}

interface Answer extends Outcome {
  /** Outputs by name, one entry a row. */
  rows: Row[];
  seconds: number;
  version: string;
  requestId: string;
}

/** What a prediction says to a person. */
interface Reading {
  classes: { name: string; share: number }[];
  label: string | null;
  numbers: { field: Field; value: number; low: number | null; high: number | null }[];
  others: { field: Field; value: any }[];
}

/** Counts of a version's predictions; one bucket for each bound, and one above. */
interface Times {
  requests: number;
  failures: number;
  buckets: number[];
}

/** Counts by version at a moment, in seconds. */
interface Counts {
  at: number;
  times: Record<string, Times>;
}

interface Rates {
  rate: number;
  failures: number;
  requests: number;
  /** Seconds. */
  p50: number | null;
  p99: number | null;
}

interface InputContext {
  /** Whether nothing is filled in at first. */
  isBlank?: boolean;
  /** Gives a file to a signature that is made for files; whether there is one. */
  handOver?: (file: File) => boolean;
  hasRows: boolean;
  /** The values that golden examples have for the field. */
  examples: any[];
  change: () => void;
}

/** A control for a field. */
interface Input {
  element: HTMLElement;
  control: HTMLElement;
  /** What it holds where nothing else is known; undefined is nothing. */
  fallback: any;
  read: () => any;
  write: (value: any) => void;
  take?: (file: File) => void;
}

/** What is sent to the service beside the path. */
interface Sent {
  method?: string;
  body?: any;
  headers?: Record<string, string>;
}

interface Reply extends Outcome {
  value: any;
  /** Returns a header of the response; empty where it has none. */
  header: (name: string) => string;
}

/** Asks for JSON; with a body, sends that. `error` is the service's, or that it cannot be reached. */
type Send = (path: string, sent?: Sent) => Promise<Reply>;

/** Asks a model. */
type Predict = (target: Target, rows: Row[]) => Promise<Answer>;

/**
 * Asks for many rows, in as many requests as the bounds demand; one by one where rows may depend on each
 * other. Returns the answer to all, or the first that failed.
 */
type PredictMany = (target: Target, rows: Row[], bounds: { max_rows: number; max_body_bytes: number }) => Promise<Answer>;

/** Does as `put` for what moves by itself: what was open stays so, and so does the focus. Buttons are known by their texts. */
type Redraw = (element: any, ...children: any[]) => void;

/** Asks for lines; those that are refused get the service's words, and the others are asked without them. */
type AnswerAll = (target: Target, lines: any[]) => Promise<void>;

/** Makes what asks while somebody types or draws: the latest input, one at a time. */
type MakeAsker = (ask: () => Promise<unknown>) => { now: () => Promise<void>; soon: () => void };

/** Returns the headers of a request, with the key where there is one. */
type WithKey = (headers?: Record<string, string>) => Record<string, string>;

/** Estimates a quantile of a histogram, evenly spread within its bucket. In the bounds' unit; null of nothing. */
type Quantile = (counts: number[], bounds: number[], share: number) => number | null;

/** Returns the edges of patches across a picture, which overlap by half of each: left to right, line by line. */
type Patches = (size: number, across: number) => any[];

/** Plans what to ask to explain an answer; null where nothing can be varied. The first row is the input itself. */
type PlanFor = (signature: Signature, row: Row) => Promise<Plan | null>;

/** Returns the value that a cell stands for: undefined where it is to be left out; what does not fit stays text, and is refused. */
type CellValue = (field: Field, cell: string | undefined) => any;

/** Sorts messages by the field that their path names; others are under "". */
type ProblemsByField = (outcome: Outcome, names: string[]) => Map<string, string[]>;

/** A line of many inputs, and what became of it. */
interface Line {
  where: string;
  row: Row | null;
  file?: File;
  output: Row | null;
  error: string;
}

type Plan =
  | { kind: "picture"; rows: Row[]; across: number; canvas: Canvas | null }
  | { kind: "words"; rows: Row[]; parts: string[]; places: number[] }
  | { kind: "curves"; rows: Row[]; fields: { field: any; values: any; start: number; now: any }[] };

type ModelView = import("./model_view.js").ModelView;

/**
 * Makes an element: of a tag, with classes after dots; with attributes and `on...` listeners, if the
 * first of the rest is a plain object; and of children. What is null, undefined or false is left out.
 */
type MakeElement = (name: string, ...rest: any[]) => any;

/** What a tab shows. */
interface Tab {
  element: HTMLElement;
  /** Called when the input has changed. */
  ask?: () => void;
  /** Called when the overview has changed. */
  update?: () => void;
  /** Whether it is of all versions: then it stays when another is shown, with what somebody types there. */
  isOfAll?: boolean;
  /** Called once a second, for what no overview has. */
  poll?: () => void;
}

type MakeTab = (model: ModelView) => Tab;
