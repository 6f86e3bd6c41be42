import { expect, it } from 'vitest';
import { buildApp, memoryStores } from '../../src/app.js';

it('a member joins and is assessed', async () => {
  const stores = memoryStores();
  await stores.communities.save({ id: 'c1', name: 'North', ownerId: 'o1', memberIds: ['o1'] });
  const app = buildApp(stores);
  const post = async (url: string, payload: object) =>
    (await app.inject({ method: 'POST', url, payload })).statusCode;

  expect(await post('/users', { id: 'u1', email: 'u1@example.org', name: 'One' })).toBe(201);
  const submission = { id: 'a1', userId: 'u1', communityId: 'c1', answers: [1, 1, 1] };
  expect(await post('/assessments', submission)).toBe(403);
  expect(await post('/communities/c1/members', { userId: 'u1' })).toBe(201);
  expect(await post('/assessments', submission)).toBe(201);

  const read = await app.inject({ url: '/assessments/a1' });
  expect(read.json()).toMatchObject({ score: 25, band: 'low' });
  await app.close();
});
