// Runs the checks of the scene that it is told.

import { finish, house } from "./house.mjs";

const scene = house.scene.replace(/\d+$/, "");
await (await import(`./${scene}.mjs`)).default();
await finish();
