// Shows in JupyterLab's top bar when the session ends, warns before, and in an event lets the person raise a hand and
// read what the trainers say.
//
// A plain script in the form of a prebuilt extension of JupyterLab: `init` is given the modules that JupyterLab shares,
// `get` gives the plugin.  It asks its own notebook server alone (hpchub_session), which knows the rest.
"use strict";

(() => {
  const WORDS = {}; // by language and name, from hpchub/lab/words.py: the hub puts them in
  const WARNINGS = [15, 5]; // minutes before the end
  const ASK_SECONDS = { event: 8, otherwise: 60 };
  const TICK_SECONDS = 5;
  const RECENT_SECONDS = 15 * 60; // a message of these is news to somebody who has just opened the page
  const STYLE = `
    #hpchub-session { display: flex; align-items: center; justify-content: flex-end; gap: 4px; padding: 0 8px;
      margin-left: auto; flex: 0 0 auto; white-space: nowrap; font-size: var(--jp-ui-font-size1); }
    #hpchub-session button { border: 1px solid transparent; border-radius: 4px; padding: 1px 8px; font: inherit;
      line-height: 20px; min-height: 24px; color: var(--jp-ui-font-color1); background: transparent; cursor: pointer; }
    #hpchub-session button:hover { background: var(--jp-layout-color2); }
    #hpchub-session button:focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: -1px; }
    #hpchub-session button.hpchub-hand, #hpchub-session button.hpchub-soon { border-color: var(--jp-border-color1); }
    #hpchub-session button.hpchub-soon { border-color: currentcolor; font-weight: 700; }
    #hpchub-session button.hpchub-up { border-color: currentcolor; font-weight: 700;
      background: var(--jp-layout-color2); }
    #hpchub-session button:disabled { cursor: progress; }
    .hpchub-session-news li { margin-bottom: 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
    .hpchub-session-news h3 { margin: 12px 0 4px; font-size: var(--jp-ui-font-size1); }
    .hpchub-session-news a { color: var(--jp-content-link-color); text-decoration: underline; }`;

  let shared = {};

  async function load(name) {
    const versions = Object.values(shared[name]);
    const factory = await (versions.find((version) => version.loaded) || versions[0]).get();
    return factory();
  }

  function languageOf(translator) {
    const chosen = translator && translator.languageCode !== "en" ? translator.languageCode : "";
    const wishes = [chosen, ...navigator.languages].map((wish) => (wish || "").slice(0, 2).toLowerCase());
    return wishes.find((wish) => wish in WORDS) || "en";
  }

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /** A time that lasts, in units that all our languages write alike. */
  function duration(minutes) {
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  class Session {
    constructor(app, translator, { apputils, coreutils, services, widgets }) {
      this.language = languageOf(translator);
      this.modules = { apputils, coreutils, services, widgets };
      this.settings = app.serviceManager.serverSettings;
      this.told = {};
      this.endsAt = null; // by this browser's clock
      this.warned = Infinity;
      this.time = element("button", { type: "button", class: "hpchub-time" });
      this.time.addEventListener("click", () => this.open());
      this.hand = element("button", { type: "button", class: "hpchub-hand" });
      this.hand.addEventListener("click", () => this.toggleHand());
      const group = { id: "hpchub-session", role: "group", "aria-label": this.say("this_session") };
      this.widget = new widgets.Widget({ node: element("div", group, this.hand, this.time) });
      this.widget.id = "hpchub-session";
      document.head.append(element("style", {}, STYLE));
      this.draw();
    }

    say(name, facts = {}) {
      return WORDS[this.language][name].replace(/\{(\w+)\}/g, (_, fact) => facts[fact]);
    }

    clock(milliseconds) {
      const locale = this.language === "en" ? "en-GB" : this.language; // in Europe hours count to 24
      return new Date(milliseconds).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
    }

    get minutesLeft() {
      return Math.max(0, Math.floor((this.endsAt - Date.now()) / 60000));
    }

    start() {
      setInterval(() => this.draw(), TICK_SECONDS * 1000);
      document.addEventListener("visibilitychange", () => {
        if (!document.hidden) this.ask();
      });
      this.ask();
    }

    request(path, init) {
      const { coreutils, services } = this.modules;
      const url = coreutils.URLExt.join(this.settings.baseUrl, path);
      return services.ServerConnection.makeRequest(url, init, this.settings);
    }

    async ask() {
      clearTimeout(this.next);
      try {
        const answer = await this.request("hpchub/session", { cache: "no-store" });
        if (answer.ok) this.take(await answer.json());
      } catch {
        // A server or a network that is away: JupyterLab says so, and we show what we know.
      }
      clearTimeout(this.next);
      const often = this.told.event || this.endsAt === null;
      const pause = often && !document.hidden ? ASK_SECONDS.event : ASK_SECONDS.otherwise;
      this.next = setTimeout(() => this.ask(), pause * 1000);
    }

    take(told) {
      this.told = told;
      this.endsAt = told.left_seconds == null ? null : Date.now() + told.left_seconds * 1000;
      this.draw();
      this.tellNews();
    }

    draw() {
      const { event, hand, mine } = this.told;
      this.time.hidden = this.endsAt === null && !event;
      this.hand.hidden = hand == null || !mine;
      const label = this.say(hand ? "hand_is_up" : "raise_hand");
      if (this.hand.textContent !== label) this.hand.textContent = label;
      this.hand.setAttribute("aria-label", hand ? this.say("lower_hand") : label);
      this.hand.classList.toggle("hpchub-up", Boolean(hand));
      const left = this.leftInWords();
      if (this.time.textContent !== left) this.time.textContent = left;
      this.warn();
    }

    leftInWords() {
      if (this.endsAt === null) return this.say("this_session");
      if (this.endsAt <= Date.now()) return this.say("over");
      return this.minutesLeft ? this.say("left", { time: duration(this.minutesLeft) }) : this.say("nearly_over");
    }

    warn() {
      if (this.endsAt === null) return;
      const minutes = this.minutesLeft;
      const due = Math.min(...WARNINGS.filter((before) => minutes < before), Infinity);
      this.time.classList.toggle("hpchub-soon", due < Infinity);
      if (due > this.warned) {
        // It ends later than it did.
        this.dismiss(this.warning);
        this.warning = undefined;
      } else if (due < this.warned && this.endsAt > Date.now()) {
        this.dismiss(this.warning);
        const text = this.say("warning", { time: duration(Math.max(1, minutes)), clock: this.clock(this.endsAt) });
        const actions = [{ label: this.say("my_sessions"), callback: () => window.open(this.told.home) }];
        this.warning = this.notify("warning", text, { autoClose: false, actions });
      }
      this.warned = due;
    }

    notify(kind, text, options) {
      // JupyterLab 3 has none: there the bar and what it opens must do.
      const { Notification } = this.modules.apputils;
      return Notification ? Notification.emit(text, kind, options) : undefined;
    }

    dismiss(notification) {
      if (notification !== undefined) this.modules.apputils.Notification.dismiss(notification);
    }

    tellNews() {
      const messages = this.told.messages || [];
      const key = `hpchub-session:${this.told.session}`;
      const seen = JSON.parse(localStorage.getItem(key));
      const names = messages.map((message) => JSON.stringify(message));
      const isNews = (message, name) =>
        seen ? !seen.includes(name) : message.epoch > Date.now() / 1000 - RECENT_SECONDS;
      const actions = [{ label: this.say("read"), callback: () => this.open() }];
      messages.forEach((message, at) => {
        if (isNews(message, names[at]))
          this.notify("info", `${message.who}: ${message.says}`, { autoClose: false, actions });
      });
      if (messages.length || seen) localStorage.setItem(key, JSON.stringify(names));
    }

    async toggleHand() {
      const up = !this.told.hand;
      this.hand.disabled = true;
      try {
        const answer = await this.request("hpchub/session/hand", { method: "POST", body: JSON.stringify({ up }) });
        if (!answer.ok) throw new Error(answer.statusText);
        this.told.hand = up;
        if (up) this.notify("info", this.say("hand_was_raised"), { autoClose: 5000 });
      } catch {
        this.notify("error", this.say("not_told"), { autoClose: false });
      } finally {
        this.hand.disabled = false;
        this.draw();
        this.hand.focus();
      }
    }

    open() {
      const { apputils, widgets } = this.modules;
      const home = element("a", { href: this.told.home, target: "_blank", rel: "noopener" }, this.say("my_sessions"));
      const body = element("div", { class: "hpchub-session-news" });
      if (this.endsAt !== null) {
        const ends = this.say("ends", { clock: this.clock(this.endsAt) });
        body.append(element("p", {}, `${ends} ${this.say("what_stays")}`));
      }
      body.append(element("p", {}, `${this.say("longer")} `, home));
      for (const { name, until_epoch: until } of this.told.helpers || [])
        body.append(element("p", {}, this.say("helps", { name, clock: this.clock(until * 1000) })));
      if (this.told.event) body.append(...this.messages());
      const buttons = [apputils.Dialog.okButton({ label: this.say("close") })];
      const title = this.told.event ? this.told.event.title : this.say("this_session");
      return apputils.showDialog({ title, body: new widgets.Widget({ node: body }), buttons });
    }

    messages() {
      const heading = element("h3", {}, this.say("messages"));
      const messages = [...(this.told.messages || [])].reverse();
      if (!messages.length) return [heading, element("p", {}, this.say("no_messages"))];
      const items = messages.map(({ epoch, who, says }) =>
        element("li", {}, element("strong", {}, `${this.clock(epoch * 1000)} ${who}`), `\n${says}`),
      );
      return [heading, element("ul", {}, ...items)];
    }
  }

  async function get() {
    const names = ["apputils", "coreutils", "services", "translation"].map((name) => `@jupyterlab/${name}`);
    const [apputils, coreutils, services, translation, widgets] = await Promise.all(
      [...names, "@lumino/widgets"].map(load),
    );
    const plugin = {
      id: "hpchub-session:plugin",
      description: "Shows when the session ends, and what the trainers of its event say.",
      autoStart: true,
      optional: [translation.ITranslator],
      activate: (app, translator) => {
        const session = new Session(app, translator, { apputils, coreutils, services, widgets });
        app.shell.add(session.widget, "top", { rank: 1000 });
        session.start();
      },
    };
    return () => ({ __esModule: true, default: plugin });
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["hpchub-session"] = {
    init: (modules) => {
      shared = modules;
    },
    get,
  };
})();
