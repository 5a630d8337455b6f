"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const form = at("questionnaire");
  const words = JSON.parse(at("words").textContent);
  const setup = form.dataset;
  const questions = [...form.querySelectorAll("fieldset[data-column]")];
  const blocks = [...form.querySelectorAll("section[data-partner]")];
  const partners = blocks.map((block) => block.dataset.partner);
  const draft = JSON.stringify(["collabsurvey", setup.instrument, setup.version, setup.language, partners, location.pathname]);
  const formulaStart = /^[=+\-@]/;
  const plainNumber = /^[+-]?\d+([.,]\d+)?$/;
  let started;
  let responseId;
  let unsaved = false;

  const say = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

  const begin = () => {
    started = new Date();
    const bytes = crypto.getRandomValues(new Uint8Array(6));
    // A letter first: a spreadsheet would take 12e4 for a number.
    responseId = `r${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  };

  // One question: its circles, its number box, its answer as text ("" is none).
  const circles = (question) => [...question.querySelectorAll("input[type=radio]")];
  const box = (question) => question.querySelector("input[type=text], textarea");
  const isNumber = (question) => box(question)?.dataset.low !== undefined;
  const typed = (question) => {
    const text = (box(question)?.value ?? "").trim();
    return isNumber(question) ? text.replace(",", ".") : text;
  };
  const answer = (question) => circles(question).find((circle) => circle.checked)?.value ?? typed(question);
  const shown = () => questions.filter((question) => !question.closest("[hidden]"));
  const open = () => shown().filter((question) => answer(question) === "");

  const isWrong = (question) => {
    const field = box(question);
    const text = typed(question);
    if (!isNumber(question) || text === "") return false;
    const number = Number(text);
    return !/^-?\d+(\.\d+)?$/.test(text) || number < Number(field.dataset.low) || number > Number(field.dataset.high);
  };

  const markWrong = (question) => {
    const field = box(question);
    if (!isNumber(question)) return;
    const wrong = isWrong(question);
    const error = question.querySelector(".error");
    error.textContent = wrong ? error.dataset.message : "";
    if (wrong) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  };

  const clear = (question) => {
    for (const circle of circles(question)) circle.checked = false;
    if (box(question)) box(question).value = "";
    markWrong(question);
  };

  const put = (question, value) => {
    const circle = circles(question).find((one) => one.value === value);
    if (circle) circle.checked = true;
    else if (box(question)) box(question).value = value;
  };

  const goTo = (question) => {
    const circle = circles(question).find((one) => one.checked) ?? circles(question)[0];
    const field = box(question) ?? circle;
    question.scrollIntoView({ block: "center" });
    field.focus({ preventScroll: true });
  };

  // Ranks, each given once, and points that make up a total.
  const sums = [...form.querySelectorAll(".together")];
  const members = (sum) => [...sum.closest(".group").querySelectorAll("fieldset[data-column]")];
  const amount = (question) => {
    const text = answer(question);
    return text === "" || isWrong(question) || question.querySelector(".others input:checked") ? null : Number(text);
  };

  const tally = (sum) => {
    const total = Number(sum.dataset.total);
    const amounts = members(sum).map(amount);
    const known = amounts.filter((one) => one !== null);
    if (sum.dataset.kind === "points") {
      const done = Math.round(known.reduce((a, b) => a + b, 0) * 1e6) / 1e6;
      const whole = known.length === amounts.length;
      const values = { done, total, left: total - done, over: done - total };
      const sentence = done > total ? words.points_over : done < total ? words.points_left : words.points_all;
      return { off: done > total || (whole && done < total), text: say(sentence, values) };
    }
    const ranks = Array.from({ length: total }, (_, place) => place + 1);
    const twice = ranks.filter((rank) => known.filter((one) => one === rank).length > 1);
    const left = ranks.filter((rank) => !known.includes(rank));
    const parts = [];
    if (twice.length) parts.push(say(words.ranks_twice, { twice: twice.join(", ") }));
    parts.push(left.length ? say(words.ranks_left, { left: left.join(", ") }) : words.ranks_all);
    return { off: twice.length > 0, text: parts.join(" ") };
  };

  const showSums = () => {
    for (const sum of sums) {
      const { off, text } = tally(sum);
      if (sum.textContent !== text) sum.textContent = text;
      sum.classList.toggle("off", off);
    }
  };

  const isOff = (question) => {
    const sum = question.closest(".group").querySelector(".together");
    return sum !== null && members(sum)[0] === question && tally(sum).off;
  };

  // About the respondent
  const school = () => at("school").value.trim();
  const role = () => (at("role") ? at("role").value : form.querySelector("input[name=role]:checked")?.value) ?? "";
  const same = (a, b) => a.toLowerCase().trim() === b.toLowerCase().trim();

  const showSchool = () => {
    for (const span of form.querySelectorAll(".own-school")) {
      const name = school() || span.dataset.default;
      span.textContent = "capital" in span.dataset ? name.charAt(0).toUpperCase() + name.slice(1) : name;
    }
    const own = blocks.filter((block) => {
      block.hidden = same(block.dataset.partner, school());
      return block.hidden;
    });
    at("own-note").textContent = own.map((block) => block.dataset.ownNote).join(" ");
  };

  const showProgress = () => {
    const all = shown();
    const done = all.length - open().length;
    at("count").textContent = say(words.answered, { done, total: all.length });
    at("progress").max = Math.max(all.length, 1);
    at("progress").value = done;
    at("next").hidden = done === all.length;
    for (const question of questions) {
      question.querySelector(".clear").hidden = answer(question) === "";
    }
    showSums();
  };

  // Answers kept on this device: only if the respondent asks for it.
  const forget = () => {
    try {
      localStorage.removeItem(draft);
    } catch { /* nothing can be kept here, so nothing is */ }
  };

  const remember = () => {
    if (!at("keep").checked) return;
    const kept = {
      started: started.toISOString(), responseId,
      respondent: at("respondent").value, school: at("school").value, role: role(),
      answers: Object.fromEntries(questions.map((question) => [question.dataset.column, answer(question)])),
    };
    try {
      localStorage.setItem(draft, JSON.stringify(kept));
    } catch {
      at("keep").checked = false;
      at("keep-note").textContent = words.keep_failed;
    }
  };

  const bringBack = () => {
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(draft));
    } catch { /* not readable: as if nothing were kept */ }
    if (!kept || typeof kept.answers !== "object" || Number.isNaN(Date.parse(kept.started))) return;
    started = new Date(kept.started);
    responseId = String(kept.responseId);
    at("respondent").value = kept.respondent ?? "";
    at("school").value = kept.school ?? "";
    if (at("role")) at("role").value = kept.role ?? "";
    for (const one of form.querySelectorAll("input[name=role]")) one.checked = one.value === kept.role;
    for (const question of questions) put(question, String(kept.answers[question.dataset.column] ?? ""));
    at("keep").checked = true;
    at("keep-note").textContent = words.brought_back;
    unsaved = true;
  };

  // The file: RFC 4180, and no cell that a spreadsheet would run.
  const cell = (text) => {
    const line = String(text).replace(/[\u0000-\u001f\u007f]+/g, " ").trim();
    const safe = formulaStart.test(line) && !plainNumber.test(line) ? `'${line}` : line;
    return `"${safe.replaceAll('"', '""')}"`;
  };

  const csv = (finished) => {
    const about = {
      response_id: responseId, respondent: at("respondent").value, school: school(), role: role(),
      started: started.toISOString(), finished: finished.toISOString(),
      duration_s: Math.round((finished - started) / 1000),
      instrument: setup.instrument, instrument_version: setup.version, language: setup.language,
    };
    const names = setup.columns.split(",");
    const header = [...names, ...questions.map((question) => question.dataset.column)];
    const values = [
      ...names.map((name) => about[name]),
      ...questions.map((question) => question.closest("[hidden]") ? "" : answer(question) || question.dataset.skipped),
    ];
    return `${header.map(cell).join(",")}\r\n${values.map(cell).join(",")}\r\n`;
  };

  const download = (name, text) => {
    const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  };

  const showPanel = (name) => {
    for (const panel of ["wrong", "open", "saved"]) at(panel).hidden = panel !== name;
    at("note").textContent = "";
    if (!name) return;
    at(name).scrollIntoView({ block: "nearest" });
    at(`${name}-title`).focus();
  };

  const listLinks = (panel, some) => {
    const list = at(panel).querySelector(".links");
    list.replaceChildren(...some.map((question) => {
      const link = document.createElement("a");
      link.href = `#${question.id}`;
      link.textContent = question.dataset.label;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        goTo(question);
      });
      const entry = document.createElement("li");
      entry.append(link);
      return entry;
    }));
  };

  const save = () => {
    const finished = new Date();
    const text = csv(finished);
    const day = finished.toISOString().slice(0, 10);
    const name = `${setup.instrument.replace(/[^\w-]+/g, "-")}_${day}_${responseId}.csv`;
    at("csv").value = text;
    at("fallback").open = false;
    try {
      download(name, text);
    } catch {
      at("fallback").open = true;
    }
    at("saved-where").textContent = say(words.saved_where, { file: name });
    forget();
    at("keep").checked = false;
    at("keep-note").textContent = "";
    unsaved = false;
    showPanel("saved");
  };

  const askToSave = () => {
    questions.forEach(markWrong);
    const wrong = shown().filter((question) => isWrong(question) || isOff(question));
    const missing = open();
    if (wrong.length) {
      listLinks("wrong", wrong);
      showPanel("wrong");
    } else if (missing.length) {
      at("open-title").textContent = missing.length === 1 ? words.open_one : say(words.open_many, { n: missing.length });
      listLinks("open", missing);
      showPanel("open");
    } else save();
  };

  const empty = () => {
    form.reset();
    questions.forEach(clear);
    forget();
    at("keep-note").textContent = "";
    at("csv").value = "";
    unsaved = false;
    begin();
    showPanel(null);
    showSchool();
    showProgress();
    at("title").focus();
    scrollTo(0, 0);
  };

  const changed = (event) => {
    const question = event.target.closest("fieldset[data-column]");
    if (question && event.target.type === "radio" && box(question)) box(question).value = "";
    if (question && event.target === box(question) && event.target.value !== "") {
      for (const circle of circles(question)) circle.checked = false;
    }
    if (question && (event.type === "change" || !isWrong(question))) markWrong(question);
    if (event.target.id === "school") showSchool();
    if (event.target.id === "keep") {
      at("keep-note").textContent = "";
      if (!event.target.checked) forget();
    } else unsaved = true;
    showProgress();
    remember();
  };

  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    const question = event.target.closest("fieldset[data-column]");
    if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
    if (!question || event.target.type !== "radio" || !["Delete", "Backspace"].includes(event.key)) return;
    event.preventDefault();
    clear(question);
    circles(question)[0].focus(); // where Tab enters and leaves a group without an answer
    changed({ target: event.target, type: "change" });
  });
  for (const question of questions) {
    question.querySelector(".clear").addEventListener("click", () => {
      clear(question);
      goTo(question);
      changed({ target: question, type: "change" });
    });
  }
  at("next").addEventListener("click", () => {
    const missing = open();
    const here = missing.find((question) => question.getBoundingClientRect().top > innerHeight * 0.6);
    if (missing.length) goTo(here ?? missing[0]);
  });
  at("print").addEventListener("click", () => print());
  at("save").addEventListener("click", askToSave);
  at("save-anyway").addEventListener("click", save);
  at("go-back").addEventListener("click", () => goTo(open()[0] ?? questions[0]));
  at("empty").addEventListener("click", () => {
    empty();
    at("note").textContent = words.emptied;
  });
  at("copy").addEventListener("click", async () => {
    at("csv").select();
    try {
      await navigator.clipboard.writeText(at("csv").value);
      at("copy-note").textContent = words.copied;
    } catch {
      at("copy-note").textContent = words.copy_by_hand;
    }
  });
  addEventListener("beforeunload", (event) => {
    if (unsaved && !at("keep").checked) event.preventDefault();
  });
  // "Back" must not show the last person's answers.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    unsaved = false;
    location.reload();
  });

  begin();
  form.reset();
  bringBack();
  showSchool();
  showProgress();
  for (const part of document.querySelectorAll(".script")) {
    if (!part.classList.contains("clear")) part.hidden = false;
  }
})();
