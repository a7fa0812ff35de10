/**
 * JSON with line breaks, every token as it was written: numbers too long for JavaScript, doubled keys and escapes stay as
 * they came, which parsing and writing anew would change.
 */

const TOKEN = /"(?:[^"\\]|\\.)*"|[^\s{}[\],:"]+|[{}[\],:]/g;

const INDENT = '  ';

/** Whether a text is a JSON object or array; single numbers and words count as text. */
export function isJson(text) {
  if (!/^\s*[[{]/.test(text)) {
    return false;
  }
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text laid out, or null unless it is a JSON object or array. */
export function layOutJson(text) {
  if (!isJson(text)) {
    return null;
  }
  const tokens = text.match(TOKEN);
  let depth = 0;
  let result = '';
  tokens.forEach((token, index) => {
    const opens = token === '{' || token === '[';
    const closes = token === '}' || token === ']';
    const afterOpening = /^[{[]$/.test(tokens[index - 1] ?? '');
    depth -= closes ? 1 : 0;
    if (closes ? !afterOpening : afterOpening || tokens[index - 1] === ',') {
      result += `\n${INDENT.repeat(depth)}`;
    }
    result += token === ':' ? ': ' : token;
    depth += opens ? 1 : 0;
  });
  return result;
}
