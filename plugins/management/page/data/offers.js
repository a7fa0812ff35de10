/** What this broker's API has, as its OpenAPI document says: rooms without their operations say so instead of failing. */

export class Offers {
  #operations = new Set();

  /** document: GET /api/openapi.json */
  constructor(document) {
    for (const [path, methods] of Object.entries(document?.paths ?? {})) {
      for (const method of Object.keys(methods)) {
        this.#operations.add(`${method.toUpperCase()} ${shape(path.replace(/^\/api/, ''))}`);
      }
    }
  }

  /** has('GET', '/queues/{vhost}/{queue}'); what the parts in braces are called doesn't matter. */
  has(method, path) {
    return this.#operations.has(`${method} ${shape(path)}`);
  }
}

function shape(path) {
  return path.replace(/\{[^}]*\}/g, '{}');
}
