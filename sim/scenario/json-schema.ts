/** For editors: a JSON schema of scenarios, from the shapes that read them. */
import { fileShape } from './file.ts';
import type { JsonObject } from './shape.ts';

export const scenarioJsonSchema = (): JsonObject => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Lichen simulator scenario',
  description: 'A fleet of virtual boards and gateways, what happens to it, and what has to hold. Quantities carry their units.',
  ...fileShape.schema,
});
