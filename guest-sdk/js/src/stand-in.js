/** What stands behind the gateway's interfaces in tests that run natively: whatever a `TestGateway` has installed. */

const installed = {};

export const install = (interfaces) => Object.assign(installed, interfaces);

/** The functions of an interface, found each time that they are used. */
export const standIn = (name) =>
  new Proxy(
    {},
    {
      get(_, called) {
        if (!(name in installed)) throw new Error(`there is no gateway to offer ${name}; make a TestGateway first`);
        return installed[name][called];
      },
    },
  );
