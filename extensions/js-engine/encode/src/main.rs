//! Makes a component of a core module that carries its interface: `encode MODULE COMPONENT`.

use std::error::Error;

use wit_component::ComponentEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(module), Some(component)) = (arguments.next(), arguments.next()) else {
        return Err("usage: encode MODULE COMPONENT".into());
    };
    let encoded = ComponentEncoder::default().validate(true).module(&std::fs::read(module)?)?.encode()?;
    Ok(std::fs::write(component, encoded)?)
}
