// check.mjs FOLDER: opens every page (*.html) of the folder in a headless Chromium, at three widths, in
// light and dark, in print and without scripts, and uses its controls. It fails on console messages of
// errors and warnings, uncaught errors, requests, sideways scrolling, violations that axe-core finds, and
// controls that do not do what they say.
//
// check.mjs --served URL FILE: opens the page of a run that is served, adds records to its file, and waits
// until the page shows them by itself.
//
// check.mjs --shot PAGE PICTURE WIDTH HEIGHT: takes a picture of the top of a page.
//
// CHROMIUM names another Chromium than the one of package.json.
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';
import { appendFileSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const WIDTHS = [390, 980, 1600];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const problems = [];

async function launch() {
  const executablePath = process.env.CHROMIUM ?? await chromium.executablePath();
  // No name is resolved, so that a page that asks for something outside fails instead of waiting.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];
  return puppeteer.launch({ executablePath, args, headless: true });
}

async function open(browser, path, width, options = {}) {
  const isServed = path.startsWith('http:');
  const url = isServed ? path : pathToFileURL(resolve(path)).href;
  const own = asked => isServed ? new URL(asked).origin === new URL(url).origin : asked.split('#')[0] === url;
  const page = await browser.newPage();
  const name = `${path} at ${width} ${JSON.stringify(options)}`;
  const say = text => problems.push(`${name}: ${text}`);
  page.on('console', message => {
    if (['error', 'warn', 'assert'].includes(message.type())) say(`console: ${message.text()}`);
  });
  page.on('pageerror', error => say(`uncaught: ${error.message}`));
  page.on('request', request => { if (!own(request.url())) say(`asks for ${request.url()}`); });
  if (options.dark) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  if (options.print) await page.emulateMediaType('print');
  if (options.noScript) await page.setJavaScriptEnabled(false);
  await page.setViewport({ width, height: 900 });
  await page.goto(url, { waitUntil: 'load' });
  return { page, say };
}

// What is seen: no sideways scrolling, and nothing that axe-core finds.
async function look({ page, say }) {
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (sideways > 0) say(`scrolls sideways by ${sideways} px`);
  // Not as an element: the page's policy would refuse it.
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  for (const { id, help, nodes } of found.violations) say(`axe: ${id}: ${help}: ${nodes[0].target.join(' ')}`);
}

// Every control once, by keyboard and pointer.
async function use({ page, say }) {
  const text = selector => page.$eval(selector, element => element.textContent);
  const shown = selector => page.$$eval(selector, all => all.filter(e => e.checkVisibility()).map(e => e.textContent));
  const slider = await page.$('#bar:not([hidden]) #w');
  if (slider) {
    await slider.focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowLeft');
    const chosen = await text('#wv');
    const cells = await shown('.win tr.on td');
    const charts = await shown('.chart .ro');
    if (!/^\d{4}-\d\d-\d\d/.test(chosen)) say(`the slider chooses ${chosen}`);
    if (!charts.every(value => cells.includes(value))) say(`${charts} are not the cells ${cells}`);
    if (!(await shown('.say')).every(text => text.startsWith('in the window from ' + chosen))) say('a list is of another window');
    await page.keyboard.press('Escape');
    if (await text('#wv') !== 'all of them') say('Escape does not return to all windows');
    for (const plot of (await page.$$('.plot')).slice(0, 2)) if (await plot.isVisible()) { await plot.hover(); await plot.click(); }
    await page.click('#all');
    await page.click('label:has(#z1)');
  }
  const groups = await page.$$('#gs option');
  if (groups.length > 1) {
    await page.select('#gs', 'g2');
    await page.waitForFunction(() => document.querySelector('#g2').checkVisibility());
    if ((await page.$$eval('.det', all => all.filter(e => e.checkVisibility()).length)) !== 1) say('two groups are shown');
  }
  for (const measure of await page.$$('[name=m]')) if (await measure.evaluate(e => e.parentNode.checkVisibility())) await measure.evaluate(e => e.click());
  const sorted = await page.$('table.sort th:nth-child(2) button');
  if (sorted) {
    const column = () => page.$eval('table.sort', table => [...table.tBodies[0].rows].map(row => parseFloat(row.cells[1].textContent.replace(/,/g, ''))));
    await sorted.evaluate(button => button.click());
    const values = (await column()).filter(value => !Number.isNaN(value));
    if (values.some((value, index) => index && value > values[index - 1])) say(`not sorted: ${values}`);
  }
}

// Without scripts nothing is there that needs one.
async function lookWithoutScript({ page, say }) {
  const hidden = await page.$$eval('#bar, #gs', all => all.every(element => !element.checkVisibility()));
  const content = await page.$$eval('.chart, table, .tiles, .empty', all => all.some(element => element.checkVisibility()));
  if (!hidden || !content) say('is not whole without scripts');
}

async function check(browser, path) {
  for (const width of WIDTHS) {
    const opened = await open(browser, path, width);
    await look(opened);
    await use(opened);
    await opened.page.close();
  }
  for (const options of [{ dark: true }, { print: true }]) {
    const opened = await open(browser, path, 1600, options);
    await look(opened);
    await opened.page.close();
  }
  const plain = await open(browser, path, 980, { noScript: true });
  await plain.page.setJavaScriptEnabled(true);
  await lookWithoutScript(plain);
  await plain.page.close();
}

// The number of records of the newest window in the table, or NaN while the page loads.
const records = page => page.evaluate(() => {
  const cells = [...document.querySelectorAll('.win tbody tr:last-child td')].map(cell => cell.textContent.replace(/,/g, ''));
  return cells.map(Number).find(value => Number.isInteger(value) && value > 0);
}).catch(() => NaN);

async function becomes(page, wanted) {
  const end = Date.now() + 60_000;
  let found;
  while (Date.now() < end) {
    if ((found = await records(page)) === wanted) return true;
    await new Promise(done => setTimeout(done, 100));
  }
  problems.push(`the served page shows ${found} records of the newest window, and not ${wanted}`);
  return false;
}

// A page that is served loads itself again when there is a new answer, and keeps to its own server.
async function checkServed(browser, url, file) {
  const opened = await open(browser, url, 980);
  // One record of the next window closes a window.
  const put = (window, count) => {
    const ts = 1_704_067_200_000 + window * 60_000;
    for (let i = 0; i < count; i++) appendFileSync(file, `{"ts":${ts + i},"url":"/${i}"}\n`);
  };
  // A page of one window has no table.
  put(0, 3);
  put(1, 1);
  let seen = 0;
  for (let window = 1; window < 5; window++) {
    put(window, 3 + window);
    put(window + 1, 1);
    // The record that closed the window before is in this one.
    if (await becomes(opened.page, 4 + window)) seen++;
  }
  await look(opened);
  await opened.page.close();
  console.log(`a served page showed ${seen} new answers by itself`);
}

const browser = await launch();
try {
  const [first, ...rest] = process.argv.slice(2);
  if (first === '--shot') {
    const [path, picture, width, height] = rest;
    const { page } = await open(browser, path, Number(width));
    await page.setViewport({ width: Number(width), height: Number(height) });
    await page.screenshot({ path: picture });
  } else if (first === '--served') {
    await checkServed(browser, ...rest);
  } else {
    const pages = readdirSync(first).filter(name => name.endsWith('.html')).sort();
    if (!pages.length) problems.push(`${first} has no pages`);
    for (const name of pages) await check(browser, join(first, name));
    console.log(`${pages.length} pages looked at`);
  }
} finally {
  await browser.close();
}
problems.forEach(problem => console.error(problem));
process.exitCode = problems.length ? 1 : 0;
