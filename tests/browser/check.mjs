// check.mjs FOLDER: opens every page (*.html) of the folder in a headless Chromium, at three widths, in
// light and dark, in print and without scripts, and uses its controls. It fails on console messages of
// errors and warnings, uncaught errors, requests, sideways scrolling, violations that axe-core finds, and
// controls that do not do what they say.
//
// check.mjs --shot PAGE PICTURE WIDTH HEIGHT: takes a picture of the top of a page.
//
// CHROMIUM names another Chromium than the one of package.json.
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const WIDTHS = [390, 980, 1600];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const problems = [];

async function launch() {
  const executablePath = process.env.CHROMIUM ?? await chromium.executablePath();
  // No name is resolved, so that a page that asks for something outside fails instead of waiting.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND'];
  return puppeteer.launch({ executablePath, args, headless: true });
}

async function open(browser, path, width, options = {}) {
  const url = pathToFileURL(resolve(path)).href;
  const page = await browser.newPage();
  const name = `${path} at ${width} ${JSON.stringify(options)}`;
  const say = text => problems.push(`${name}: ${text}`);
  page.on('console', message => {
    if (['error', 'warn', 'assert'].includes(message.type())) say(`console: ${message.text()}`);
  });
  page.on('pageerror', error => say(`uncaught: ${error.message}`));
  page.on('request', request => { if (request.url().split('#')[0] !== url) say(`asks for ${request.url()}`); });
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

const browser = await launch();
try {
  const [first, ...rest] = process.argv.slice(2);
  if (first === '--shot') {
    const [path, picture, width, height] = rest;
    const { page } = await open(browser, path, Number(width));
    await page.setViewport({ width: Number(width), height: Number(height) });
    await page.screenshot({ path: picture });
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
